import { randomBytes } from "node:crypto";
import { decryptFromBytes, encryptToBytes, KEY_BYTES } from "./aes-gcm.ts";

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
      const bytes = encryptToBytes(key, AAD, plaintext);
      plaintext.fill(0);
      return bytes.toString("base64");
    },
    async decrypt(text) {
      const plaintext = decryptFromBytes(key, AAD, Buffer.from(text, "base64"));
      if (plaintext === null) throw new Error("not encrypted by this process");
      const decrypted = plaintext.toString();
      plaintext.fill(0);
      return decrypted;
    },
  };
}
