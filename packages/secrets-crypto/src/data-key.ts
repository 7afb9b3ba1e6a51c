import { randomBytes } from "node:crypto";
import { KEY_BYTES, NONCE_BYTES, openBytes, sealBytes, TAG_BYTES } from "./aes-gcm.ts";
import { encodeFields } from "./encode-fields.ts";

/** A key that seals records. */
export interface DataKey {
  /** 8 lower-case hexadecimal digits. */
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Buffer;
}

export function createDataKey(): DataKey {
  return { id: randomBytes(4).toString("hex"), bytes: randomBytes(KEY_BYTES) };
}

/** Seals a data key under the key-encryption key, bound to the store and to its id. Gives base64 of nonce, ciphertext, tag. */
export function wrapDataKey(keyEncryptionKey: Uint8Array, storeId: string, key: DataKey): string {
  const { nonce, ciphertext, tag } = sealBytes(keyEncryptionKey, wrapAad(storeId, key.id), key.bytes);
  return Buffer.concat([nonce, ciphertext, tag]).toString("base64");
}

/** Opens what {@link wrapDataKey} made; null where it does not open. */
export function unwrapDataKey(
  keyEncryptionKey: Uint8Array,
  storeId: string,
  id: string,
  wrapped: string,
): DataKey | null {
  const sealed = Buffer.from(wrapped, "base64");
  const bytes = openBytes(keyEncryptionKey, wrapAad(storeId, id), {
    nonce: sealed.subarray(0, NONCE_BYTES),
    ciphertext: sealed.subarray(NONCE_BYTES, -TAG_BYTES),
    tag: sealed.subarray(-TAG_BYTES),
  });
  return bytes === null ? null : { id, bytes };
}

function wrapAad(storeId: string, keyId: string): Buffer {
  return encodeFields(["autokestra data key", 1, storeId, keyId]);
}
