import { createHash, createHmac, hkdfSync } from "node:crypto";
import type { Envelope, RecordIdentity, SecretMetadata } from "@autokestra/secrets-core";
import { KEY_BYTES } from "./aes-gcm.ts";
import type { RecordFormat } from "./data-key.ts";
import { createFieldEncoder, encodeFields } from "./encode-fields.ts";

/** All secrets are in the one namespace that has no name. */
const NAMESPACE = null;

/** The bytes that a ciphertext is bound to; each call overwrites those of the call before. */
export type RecordAad = (format: RecordFormat, storeId: string, keyId: string, record: RecordIdentity) => Buffer;

/**
 * Everything a ciphertext must not be separated from (NIST SP 800-38D: additional authenticated data). The records of a store
 * have its beginning in common.
 */
export function createRecordAad(): RecordAad {
  let known: string | null = null;
  let first = createFieldEncoder([]);
  let second = first;
  return (format, storeId, keyId, { id, name, type, version, expiresAt, policy }) => {
    if (storeId !== known) {
      first = createFieldEncoder(["autokestra secret", 1, storeId]);
      second = createFieldEncoder(["autokestra secret", 2, storeId, NAMESPACE]);
      known = storeId;
    }
    if (format === 1) return first([id, name, type, version, keyId, expiresAt]);
    return second([id, name, type, version, keyId, expiresAt, policyDigest(policy)]);
  };
}

/** What the MAC of a secret says of its current version. */
export interface CurrentRecord {
  readonly metadata: SecretMetadata;
  readonly envelope: Pick<Envelope, "nonce">;
}

/** The key of the MACs of one store's secrets, from a service key: HKDF-SHA256 (RFC 5869), no salt. */
export function deriveMacKey(serviceKey: Uint8Array, storeId: string): Buffer {
  const info = encodeFields(["autokestra record mac", 2, storeId, NAMESPACE]);
  return Buffer.from(hkdfSync("sha256", serviceKey, Buffer.alloc(0), info, KEY_BYTES));
}

/**
 * HMAC-SHA256 (RFC 2104) over what is true of the whole secret, and over which version is current.
 *
 * @param deletedAt in the place of that in the metadata
 * @returns base64
 */
export function macOf(key: Uint8Array, { metadata, envelope }: CurrentRecord, deletedAt: string | null): string {
  const { id, name, type, version, revision, description, tags, createdAt, updatedAt, expiresAt } = metadata;
  const identity = [id, name, NAMESPACE, type, version, toBase64(envelope.nonce), revision, description, tags.length];
  const times = [createdAt, updatedAt, expiresAt, deletedAt, metadata.importedId, policyDigest(metadata.policy)];
  const fields = encodeRecord(identity.concat(tags, times));
  return createHmac("sha256", key).update(fields).digest("base64");
}

const encodeRecord = createFieldEncoder(["autokestra record", 2]);

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** Stands for the policy where it is authenticated: hexadecimal SHA-256 of its text, null where there is none. */
function policyDigest(policy: string | null): string | null {
  return policy === null ? null : createHash("sha256").update(policy).digest("hex");
}
