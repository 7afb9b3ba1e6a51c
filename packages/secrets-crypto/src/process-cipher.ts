import { randomBytes } from "node:crypto";
import { decryptBytes, encryptBytes, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "./aes-gcm.ts";

/** Encrypts texts that stay in this process, under a key that is in no file: they are gone with it. */
export interface ProcessCipher {
  encrypt(text: string): Promise<string>;
  /** @throws where it is not what this cipher has encrypted */
  decrypt(text: string): Promise<string>;
}

const AAD = Buffer.from("autokestra value of a process");

export function createProcessCipher(): ProcessCipher {
  const key = randomBytes(KEY_BYTES);
  return {
    async encrypt(text) {
      const plaintext = Buffer.from(text);
      const { nonce, ciphertext, tag } = encryptBytes(key, AAD, plaintext);
      plaintext.fill(0);
      return Buffer.concat([nonce, tag, ciphertext]).toString("base64");
    },
    async decrypt(text) {
      const bytes = Buffer.from(text, "base64");
      const [nonce, tag] = [bytes.subarray(0, NONCE_BYTES), bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES)];
      const plaintext = decryptBytes(key, AAD, { nonce, tag, ciphertext: bytes.subarray(NONCE_BYTES + TAG_BYTES) });
      if (plaintext === null) throw new Error("not encrypted by this process");
      const decrypted = plaintext.toString();
      plaintext.fill(0);
      return decrypted;
    },
  };
}
