import { createHash, hkdfSync, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { AutokestraError, type Stretching } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { KEY_BYTES } from "./aes-gcm.ts";
import { base64Bytes, isBase64 } from "./encode-fields.ts";
import { hasKeys, isWholeNumber } from "./plain-json.ts";

/** PBKDF2 iterations for new passphrases (OWASP Password Storage Cheat Sheet). */
export const PBKDF2_ITERATIONS = 600_000;
/** The minimum in a header. */
const MIN_ITERATIONS = 100_000;
/** The maximum in a header, about 5 s: more would only keep the processor busy. */
const MAX_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;

/** How the keys of a store are derived. `salt` belongs to the store, `passphraseSalt` to the passphrase. */
export type Kdf =
  | { readonly name: "hkdf-sha256"; readonly salt: string }
  | {
      readonly name: "pbkdf2-hmac-sha256";
      readonly salt: string;
      readonly passphraseSalt: string;
      readonly iterations: number;
    };

const salt = base64Bytes(SALT_BYTES);
const iterations = z.int().min(MIN_ITERATIONS).max(MAX_ITERATIONS);
const hkdfSchema = z.strictObject({ name: z.literal("hkdf-sha256"), salt });
const pbkdf2Name = z.literal("pbkdf2-hmac-sha256");

/** The key derivation in headers of format 2. */
export const kdfSchema: z.ZodType<Kdf> = z.discriminatedUnion("name", [
  hkdfSchema,
  z.strictObject({ name: pbkdf2Name, salt, passphraseSalt: salt, iterations }),
]);

/** The key derivation in headers of format 1, where one salt serves both. */
export const kdfSchemaV1: z.ZodType<Kdf> = z.discriminatedUnion("name", [
  hkdfSchema,
  z.strictObject({ name: pbkdf2Name, salt, iterations }).transform((kdf) => ({ ...kdf, passphraseSalt: kdf.salt })),
]);

/** Accepts nothing that {@link kdfSchema} rejects. */
export function isPlainKdf(json: unknown): json is Kdf {
  if (hasKeys(json, ["name", "salt"])) return json.name === "hkdf-sha256" && isBase64(json.salt, SALT_BYTES);
  return (
    hasKeys(json, ["name", "salt", "passphraseSalt", "iterations"]) &&
    json.name === "pbkdf2-hmac-sha256" &&
    isBase64(json.salt, SALT_BYTES) &&
    isBase64(json.passphraseSalt, SALT_BYTES) &&
    isWholeNumber(json.iterations, MIN_ITERATIONS) &&
    json.iterations <= MAX_ITERATIONS
  );
}

/** False for a key derivation that only a newer version knows. */
export function isKnownKdf(name: string): boolean {
  return name === "hkdf-sha256" || name === "pbkdf2-hmac-sha256";
}

/** The keys that are derived from one master key for one store. */
export interface DerivedKeys {
  /** Wraps data keys and service keys. */
  readonly keyEncryptionKey: Buffer;
  /** Authenticates the header. */
  readonly headerKey: Buffer;
  /** Tells whether a master key belongs to the store. It reveals nothing about the other two. */
  readonly keyCheck: Buffer;
  /** The name of the master key. */
  readonly fingerprint: string;
}

/** Creates the parameters for a new store or for a new master key, with a fresh salt. */
export function createKdf(stretching: Stretching | null): Kdf {
  const fresh = randomBytes(SALT_BYTES).toString("base64");
  if (stretching === null) return { name: "hkdf-sha256", salt: fresh };
  const { salt: passphraseSalt, iterations: times } = stretching;
  return { name: "pbkdf2-hmac-sha256", salt: fresh, passphraseSalt, iterations: times };
}

/**
 * Returns how a passphrase becomes the 32 bytes from which the keys of a store are derived: the salt and the number of
 * PBKDF2 iterations. Pass it to `MasterKey.bytes`. Null if the master key is 32 bytes already.
 *
 * @param kdf the key derivation in a header
 */
export function stretchingOf(kdf: Kdf): Stretching | null {
  return kdf.name === "hkdf-sha256" ? null : { salt: kdf.passphraseSalt, iterations: kdf.iterations };
}

/** Derives 32 bytes from a passphrase: PBKDF2-HMAC-SHA256 (NIST SP 800-132). */
export async function stretch(material: Uint8Array, { salt: text, iterations: times }: Stretching): Promise<Buffer> {
  return await promisify(pbkdf2)(material, Buffer.from(text, "base64"), times, KEY_BYTES, "sha256");
}

/** Derives the keys of a store from the 32 bytes of a master key: HKDF-SHA256 (RFC 5869), one key for each purpose. */
export function deriveKeys(kdf: Kdf, keyBytes: Uint8Array): DerivedKeys {
  const storeSalt = Buffer.from(kdf.salt, "base64");
  const derive = (purpose: string) =>
    Buffer.from(hkdfSync("sha256", keyBytes, storeSalt, `autokestra v1 ${purpose}`, KEY_BYTES));
  return {
    keyEncryptionKey: derive("key encryption"),
    headerKey: derive("header"),
    keyCheck: derive("key check"),
    fingerprint: fingerprintOf(keyBytes),
  };
}

/** Returns the name of a master key, the same for every store: 16 hexadecimal digits of a hash of its 32 bytes. */
export function fingerprintOf(keyBytes: Uint8Array): string {
  const hash = createHash("sha256").update("autokestra key fingerprint\n").update(keyBytes);
  return hash.digest("hex").slice(0, 16);
}

/** Compares in constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The error for a header that cannot be read or has impossible parameters. */
export function headerBroken(reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `The header of the secret store ${reason}`, {
    hint: "Restore the store from a backup.",
  });
}
