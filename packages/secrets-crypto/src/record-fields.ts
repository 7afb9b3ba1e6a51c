import { createHash, createHmac, hkdfSync } from "node:crypto";
import type { Envelope, RecordIdentity, SecretMetadata } from "@autokestra/secrets-core";
import { fieldNames, METADATA_FIELDS } from "@autokestra/secrets-core/internal";
import { KEY_BYTES } from "./aes-gcm.ts";
import type { RecordFormat } from "./data-key.ts";
import { createFieldEncoder, encodeFields, type Fields } from "./encode-fields.ts";

/** The only namespace has no name. */
const NAMESPACE = null;

/** The fields that a ciphertext of each format is bound to, besides its store and its key. */
const AAD_FIELDS = { 1: aadFields(1), 2: aadFields(2) };

function aadFields(format: RecordFormat): readonly (keyof RecordIdentity)[] {
  return fieldNames(METADATA_FIELDS, ({ aad }) => aad.includes(format)) as readonly (keyof RecordIdentity)[];
}

/** Returns the bytes that a ciphertext is bound to. Each call overwrites those of the previous one. */
export type RecordAad = (format: RecordFormat, storeId: string, keyId: string, record: RecordIdentity) => Buffer;

/**
 * Creates the additional authenticated data (NIST SP 800-38D) of records: everything a ciphertext must not be separated
 * from. Its beginning, which is the same for all records of a store, is encoded once.
 */
export function createRecordAad(): RecordAad {
  let known: string | null = null;
  let encoders = { 1: createFieldEncoder([]), 2: createFieldEncoder([]) };
  return (format, storeId, keyId, record) => {
    if (storeId !== known) {
      encoders = {
        1: createFieldEncoder(["autokestra secret", 1, storeId]),
        2: createFieldEncoder(["autokestra secret", 2, storeId, NAMESPACE]),
      };
      known = storeId;
    }
    const fields: (string | number | null)[] = [];
    for (const name of AAD_FIELDS[format]) {
      fields.push(name === "policy" ? policyDigest(record.policy) : record[name]);
      if (name === "version") fields.push(keyId);
    }
    return encoders[format](fields);
  };
}

/** What the MAC of a secret covers: its metadata and its current version. */
export interface CurrentRecord {
  readonly metadata: SecretMetadata;
  readonly envelope: Pick<Envelope, "nonce">;
}

/** What a MAC is for. One for one purpose says nothing about another. */
export type MacPurpose = "record" | "audit" | "token" | "key";

/** Derives the key of the MACs of one store and purpose from a service key: HKDF-SHA256 (RFC 5869), no salt. */
export function deriveMacKey(serviceKey: Uint8Array, storeId: string, purpose: MacPurpose): Buffer {
  const info = encodeFields([`autokestra ${purpose} mac`, 2, storeId, NAMESPACE]);
  return Buffer.from(hkdfSync("sha256", serviceKey, Buffer.alloc(0), info, KEY_BYTES));
}

/** The fields that the MAC covers besides those that identify the secret and its state. */
const MAC_FIELDS = fieldNames(METADATA_FIELDS, ({ isInMac }) => isInMac).filter(
  (name) => !["id", "name", "type", "version", "revision"].includes(name),
);

/**
 * Computes the MAC of a secret: HMAC-SHA256 (RFC 2104) over its metadata and the choice of the current version.
 *
 * @param deletedAt replaces the one in the metadata
 * @returns base64
 */
export function macOf(key: Uint8Array, { metadata, envelope }: CurrentRecord, deletedAt: string | null): string {
  const { id, name, type, version, revision } = metadata;
  const fields: (string | number | null)[] = [id, name, NAMESPACE, type, version, toBase64(envelope.nonce), revision];
  for (const field of MAC_FIELDS) {
    if (field === "tags") fields.push(metadata.tags.length, ...metadata.tags);
    else if (field === "policy") fields.push(policyDigest(metadata.policy));
    else fields.push(field === "deletedAt" ? deletedAt : metadata[field]);
  }
  return createHmac("sha256", key).update(encodeRecord(fields)).digest("base64");
}

/** Computes the MAC of a list of fields: HMAC-SHA256 (RFC 2104). @returns base64 */
export function macOfFields(key: Uint8Array, fields: Fields): string {
  return createHmac("sha256", key).update(encodeFields(fields)).digest("base64");
}

/** Returns the SHA-256 of a list of fields, as hexadecimal digits. */
export function hashFields(fields: Fields): string {
  return createHash("sha256").update(encodeFields(fields)).digest("hex");
}

const encodeRecord = createFieldEncoder(["autokestra record", 2]);

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

/** Represents the policy in what is authenticated: hexadecimal SHA-256 of its text; null without a policy. */
function policyDigest(policy: string | null): string | null {
  return policy === null ? null : createHash("sha256").update(policy).digest("hex");
}
