import { hkdfSync, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { AutokestraError, type MasterKey, z } from "@autokestra/secrets-core";
import { KEY_BYTES } from "./aes-gcm.ts";
import { base64Bytes } from "./base64.ts";

/** PBKDF2 iterations for new passphrase stores (OWASP Password Storage Cheat Sheet), and the least that is read. */
const PBKDF2_ITERATIONS = 600_000;
const MIN_ITERATIONS = 100_000;
/** A header asking for more would only keep the processor busy: about 5 s. */
const MAX_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;

/** How the store's keys follow from the master key. */
export const kdfSchema: z.ZodType<Kdf> = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("hkdf-sha256"), salt: base64Bytes(SALT_BYTES) }),
  z.strictObject({
    name: z.literal("pbkdf2-hmac-sha256"),
    salt: base64Bytes(SALT_BYTES),
    iterations: z.int().min(MIN_ITERATIONS).max(MAX_ITERATIONS),
  }),
]);

export type Kdf =
  | { readonly name: "hkdf-sha256"; readonly salt: string }
  | { readonly name: "pbkdf2-hmac-sha256"; readonly salt: string; readonly iterations: number };

/** What one master key gives for one store. */
export interface DerivedKeys {
  /** Wraps data keys. */
  readonly keyEncryptionKey: Buffer;
  /** Authenticates the header. */
  readonly headerKey: Buffer;
  /** Tells whether a master key is the store's. It says nothing about the other two. */
  readonly keyCheck: Buffer;
}

/** Fresh parameters for a new store. */
export function createKdf(kind: MasterKey["kind"]): Kdf {
  const salt = randomBytes(SALT_BYTES).toString("base64");
  return kind === "bytes"
    ? { name: "hkdf-sha256", salt }
    : { name: "pbkdf2-hmac-sha256", salt, iterations: PBKDF2_ITERATIONS };
}

/**
 * Derives the store's keys: PBKDF2-HMAC-SHA256 (NIST SP 800-132) stretches a passphrase to 32 bytes, HKDF-SHA256 (RFC 5869)
 * makes one key per purpose from 32 bytes. A master key of another kind than the store's gives other keys, and fails the check.
 */
export async function deriveKeys(kdf: Kdf, master: MasterKey): Promise<DerivedKeys> {
  const salt = Buffer.from(kdf.salt, "base64");
  const input =
    kdf.name === "hkdf-sha256"
      ? Buffer.from(master.material)
      : await promisify(pbkdf2)(master.material, salt, kdf.iterations, KEY_BYTES, "sha256");
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync("sha256", input, salt, `autokestra v1 ${purpose}`, KEY_BYTES));
  const keys = {
    keyEncryptionKey: derive("key encryption"),
    headerKey: derive("header"),
    keyCheck: derive("key check"),
  };
  input.fill(0);
  return keys;
}

/** Compares in constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The short name of a key: 8 hexadecimal digits of its check value. */
export function fingerprint(keyCheck: Uint8Array): string {
  return Buffer.from(keyCheck).toString("hex", 0, 4);
}

/** What every use of a header with impossible parameters throws. */
export function headerBroken(reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `The header of the secret store ${reason}`, {
    hint: "Restore the store from a backup.",
  });
}
