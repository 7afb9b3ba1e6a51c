import { isMetadata } from "./check-metadata.ts";
import { AutokestraError } from "./errors.ts";
import { type SealedSecret, sealedSecretSchema } from "./secret.ts";
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
  const { id, name, type, description, tags, version, revision } = metadata;
  const { createdAt, updatedAt, expiresAt, deletedAt, importedId, policy } = metadata;
  const { format, keyId, nonce, ciphertext, tag } = envelope;
  const isText = [id, name, type, createdAt, updatedAt, keyId].every((text) => typeof text === "string");
  const isTextOrNull = [description, expiresAt, deletedAt, mac].every(
    (text) => text === null || typeof text === "string",
  );
  const areBytes = [nonce, ciphertext, tag].every((bytes) => bytes instanceof Uint8Array);
  if (!isText || !isTextOrNull || !areBytes || !Number.isSafeInteger(format) || format < 0) return null;
  const own = { id, name, type, description, tags, version, revision };
  const copy = { ...own, createdAt, updatedAt, expiresAt, deletedAt, importedId, policy };
  return isMetadata(copy) ? { metadata: copy, envelope: { format, keyId, nonce, ciphertext, tag }, mac } : null;
}
