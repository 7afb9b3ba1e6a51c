import { isPlainMetadata } from "./check-metadata.ts";
import { AutokestraError } from "./errors.ts";
import { type SealedSecret, type SecretMetadata, sealedSecretSchema } from "./secret.ts";
import { parseSecretName } from "./secret-name.ts";

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
