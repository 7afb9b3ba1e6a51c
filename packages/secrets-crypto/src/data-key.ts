import { randomBytes } from "node:crypto";
import { KEY_BYTES, NONCE_BYTES, openBytes, sealBytes, TAG_BYTES } from "./aes-gcm.ts";
import { encodeFields } from "./encode-fields.ts";
import type { WrappedKey } from "./store-header.ts";

/** A key that seals records. */
export interface DataKey {
  /** 8 lower-case hexadecimal digits. */
  readonly id: string;
  readonly bytes: Buffer;
}

export function createDataKey(): DataKey {
  return { id: randomBytes(4).toString("hex"), bytes: randomBytes(KEY_BYTES) };
}

/** Seals a data key under the key-encryption key, bound to the store and to its id. */
export function wrapDataKey(keyEncryptionKey: Uint8Array, storeId: string, key: DataKey): string {
  const { nonce, ciphertext, tag } = sealBytes(keyEncryptionKey, wrapAad(storeId, key.id), key.bytes);
  return Buffer.concat([nonce, ciphertext, tag]).toString("base64");
}

/** Opens what {@link wrapDataKey} made; null where it does not open. */
export function unwrapDataKey(keyEncryptionKey: Uint8Array, storeId: string, key: WrappedKey): DataKey | null {
  const sealed = Buffer.from(key.wrapped, "base64");
  const bytes = openBytes(keyEncryptionKey, wrapAad(storeId, key.id), {
    nonce: sealed.subarray(0, NONCE_BYTES),
    ciphertext: sealed.subarray(NONCE_BYTES, -TAG_BYTES),
    tag: sealed.subarray(-TAG_BYTES),
  });
  return bytes === null ? null : { id: key.id, bytes };
}

function wrapAad(storeId: string, keyId: string): Buffer {
  return encodeFields(["autokestra data key", 1, storeId, keyId]);
}
