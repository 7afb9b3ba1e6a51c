import { randomBytes } from "node:crypto";
import { decryptBytes, encryptBytes, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "./aes-gcm.ts";
import { encodeFields } from "./encode-fields.ts";

/** The formats of records. New records have format 2. */
export type RecordFormat = 1 | 2;

/** The format of new records. */
export const RECORD_FORMAT = 2;

/** The length of a wrapped key in bytes: nonce, ciphertext and tag. */
export const WRAPPED_BYTES: number = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/** A key that encrypts records. */
export interface DataKey {
  /** 8 lower-case hexadecimal digits. */
  readonly id: string;
  /** The only format of the records under this key. */
  readonly format: RecordFormat;
  /** 32 bytes. */
  readonly bytes: Buffer;
}

/** A key from which the keys are derived that authenticate what is not encrypted. */
export interface ServiceKey {
  /** 8 lower-case hexadecimal digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Buffer;
}

export function createDataKey(): DataKey {
  return { ...createServiceKey(), format: RECORD_FORMAT };
}

export function createServiceKey(): ServiceKey {
  return { id: randomBytes(4).toString("hex"), bytes: randomBytes(KEY_BYTES) };
}

/** Wraps the keys of one store under its key-encryption key, each bound to the store, its id and its purpose. */
export interface KeyWrapper {
  /** @returns base64 of nonce, ciphertext, tag */
  wrapDataKey(key: DataKey): string;
  /** @returns null if the wrapped key is not authentic */
  unwrapDataKey(id: string, format: RecordFormat, wrapped: string): DataKey | null;
  /** @returns base64 of nonce, ciphertext, tag */
  wrapServiceKey(key: ServiceKey): string;
  /** @returns null if the wrapped key is not authentic */
  unwrapServiceKey(id: string, wrapped: string): ServiceKey | null;
}

export function createKeyWrapper(keyEncryptionKey: Uint8Array, storeId: string): KeyWrapper {
  const dataKeyAad = (id: string, format: RecordFormat) =>
    encodeFields(
      format === 1 ? ["autokestra data key", 1, storeId, id] : ["autokestra data key", 2, storeId, null, id, format],
    );
  const serviceKeyAad = (id: string) => encodeFields(["autokestra service key", 2, storeId, id]);
  return {
    wrapDataKey: ({ id, format, bytes }) => wrap(keyEncryptionKey, dataKeyAad(id, format), bytes),
    unwrapDataKey(id, format, wrapped) {
      const bytes = unwrap(keyEncryptionKey, dataKeyAad(id, format), wrapped);
      return bytes === null ? null : { id, format, bytes };
    },
    wrapServiceKey: ({ id, bytes }) => wrap(keyEncryptionKey, serviceKeyAad(id), bytes),
    unwrapServiceKey(id, wrapped) {
      const bytes = unwrap(keyEncryptionKey, serviceKeyAad(id), wrapped);
      return bytes === null ? null : { id, bytes };
    },
  };
}

function wrap(keyEncryptionKey: Uint8Array, aad: Uint8Array, bytes: Uint8Array): string {
  const { nonce, ciphertext, tag } = encryptBytes(keyEncryptionKey, aad, bytes);
  return Buffer.concat([nonce, ciphertext, tag]).toString("base64");
}

function unwrap(keyEncryptionKey: Uint8Array, aad: Uint8Array, wrapped: string): Buffer | null {
  const bytes = Buffer.from(wrapped, "base64");
  return decryptBytes(keyEncryptionKey, aad, {
    nonce: bytes.subarray(0, NONCE_BYTES),
    ciphertext: bytes.subarray(NONCE_BYTES, -TAG_BYTES),
    tag: bytes.subarray(-TAG_BYTES),
  });
}
