import { AutokestraError } from "./errors.ts";
import { type SealedSecret, type SecretMetadata, sealedSecretSchema, secretMetadataSchema } from "./secret.ts";
import { isIdentifier, parseSecretName } from "./secret-name.ts";
import { REQUIRED_FIELDS } from "./secret-type.ts";

/** Metadata as far as the types of columns go. */
type Columns = Record<"id" | "name" | "type" | "createdAt" | "updatedAt", string> &
  Record<"description" | "expiresAt" | "deletedAt" | "policy", string | null> &
  Record<"revision" | "importedId", number | null> & { version: number; tags: unknown };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** On a day that every year has. */
const TIME =
  /^\d{4}-(?:(?:0[13-9]|1[0-2])-(?:0[1-9]|[12]\d|30)|(?:0[13578]|1[02])-31|02-(?:0[1-9]|1\d|2[0-8]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const ASCII_LINE = /^[ -~]{1,100}$/;

/**
 * True for metadata that pass the schema. Nearly all pass a few tests that are quick: the schema, which takes longer than the
 * query, has the last word on the others.
 */
export function isMetadata(metadata: Columns): metadata is SecretMetadata {
  return isPlainMetadata(metadata) || secretMetadataSchema.safeParse(metadata).success;
}

/** True for nothing that the schema refuses, whatever the types say. */
function isPlainMetadata(metadata: Columns): metadata is SecretMetadata {
  const { id, name, type, description, tags, version, revision, importedId, policy } = metadata;
  const { createdAt, updatedAt, expiresAt, deletedAt } = metadata;
  return (
    isText(id, UUID) &&
    typeof name === "string" &&
    isIdentifier(name) &&
    typeof type === "string" &&
    Object.hasOwn(REQUIRED_FIELDS, type) &&
    (description === null || isText(description, ASCII_LINE)) &&
    Array.isArray(tags) &&
    tags.every((tag) => isText(tag, ASCII_LINE)) &&
    isCount(version) &&
    isCount(revision) &&
    isText(createdAt, TIME) &&
    isText(updatedAt, TIME) &&
    (expiresAt === null || isText(expiresAt, TIME)) &&
    (deletedAt === null || isText(deletedAt, TIME)) &&
    (importedId === null || importedId === 0 || isCount(importedId)) &&
    (policy === null || typeof policy === "string")
  );
}

function isText(value: unknown, form: RegExp): boolean {
  return typeof value === "string" && form.test(value);
}

function isCount(number: number | null): boolean {
  return number !== null && Number.isSafeInteger(number) && number > 0;
}

/**
 * Checks a sealed secret that a store is asked to keep: types alone do not stop a record made of parsed JSON.
 *
 * @returns a copy without what does not belong there
 * @throws AutokestraError `NAME_INVALID`; `VALUE_INVALID`, which names the fields that are wrong, never what they hold
 */
export function checkSealedSecret(secret: SealedSecret): SealedSecret {
  const plain = copyPlain(secret);
  if (plain !== null) return plain;
  const result = sealedSecretSchema.safeParse(secret);
  if (result.success) return result.data;
  const fields = result.error.issues.map(({ path }) => path.join(".") || "record");
  if (fields.includes("metadata.name")) {
    const { name } = secret.metadata;
    parseSecretName(typeof name === "string" ? name : "");
  }
  throw new AutokestraError("VALUE_INVALID", `Invalid sealed secret: ${fields.join(", ")}`, {
    hint: "Each of these fields is missing, or not of the form that a store keeps.",
  });
}

/** The copy of a secret that is plainly right; null where the schema has to look at it, which takes ten times as long. */
function copyPlain({ metadata, envelope, mac }: SealedSecret): SealedSecret | null {
  if (typeof metadata !== "object" || typeof envelope !== "object") return null;
  const { format, keyId, nonce, ciphertext, tag } = envelope;
  const isSealed =
    nonce instanceof Uint8Array &&
    ciphertext instanceof Uint8Array &&
    tag instanceof Uint8Array &&
    typeof keyId === "string" &&
    (mac === null || typeof mac === "string") &&
    Number.isSafeInteger(format) &&
    format >= 0;
  if (!isSealed || !isPlainMetadata(metadata)) return null;
  return { metadata: copyMetadata(metadata), envelope: { format, keyId, nonce, ciphertext, tag }, mac };
}

function copyMetadata(metadata: SecretMetadata): SecretMetadata {
  const { id, name, type, description, tags, version, revision } = metadata;
  const { createdAt, updatedAt, expiresAt, deletedAt, importedId, policy } = metadata;
  return {
    id,
    name,
    type,
    description,
    tags,
    version,
    revision,
    createdAt,
    updatedAt,
    expiresAt,
    deletedAt,
    importedId,
    policy,
  };
}
