import { createHash, hkdfSync, pbkdf2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { AutokestraError, type Stretching, z } from "@autokestra/secrets-core";
import { KEY_BYTES } from "./aes-gcm.ts";
import { base64Bytes, isBase64 } from "./encode-fields.ts";
import { hasKeys, isWholeNumber } from "./plain-json.ts";

/** PBKDF2 iterations for new passphrases (OWASP Password Storage Cheat Sheet). */
export const PBKDF2_ITERATIONS = 600_000;
/** The fewest that are read from a header. */
const MIN_ITERATIONS = 100_000;
/** A header asking for more would only keep the processor busy: about 5 s. */
const MAX_ITERATIONS = 10_000_000;
const SALT_BYTES = 16;

/** How the store's keys follow from the master key. `salt` is the store's own, `passphraseSalt` that of the passphrase. */
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

/** As headers of format 2 have it. */
export const kdfSchema: z.ZodType<Kdf> = z.discriminatedUnion("name", [
  hkdfSchema,
  z.strictObject({ name: pbkdf2Name, salt, passphraseSalt: salt, iterations }),
]);

/** As headers of format 1 have it: one salt serves both. */
export const kdfSchemaV1: z.ZodType<Kdf> = z.discriminatedUnion("name", [
  hkdfSchema,
  z.strictObject({ name: pbkdf2Name, salt, iterations }).transform((kdf) => ({ ...kdf, passphraseSalt: kdf.salt })),
]);

/** True for nothing that {@link kdfSchema} refuses. */
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

/** The names of all derivations there are: another one is newer than this program. */
export function isKnownKdf(name: string): boolean {
  return name === "hkdf-sha256" || name === "pbkdf2-hmac-sha256";
}

/** What one master key gives for one store. */
export interface DerivedKeys {
  /** Wraps data keys and service keys. */
  readonly keyEncryptionKey: Buffer;
  /** Authenticates the header. */
  readonly headerKey: Buffer;
  /** Tells whether a master key is the store's. It says nothing about the other two. */
  readonly keyCheck: Buffer;
  /** The name of the master key. */
  readonly fingerprint: string;
}

/** Parameters for a new store, or for a new master key of one: with a fresh salt. */
export function createKdf(stretching: Stretching | null): Kdf {
  const fresh = randomBytes(SALT_BYTES).toString("base64");
  if (stretching === null) return { name: "hkdf-sha256", salt: fresh };
  const { salt: passphraseSalt, iterations: times } = stretching;
  return { name: "pbkdf2-hmac-sha256", salt: fresh, passphraseSalt, iterations: times };
}

/** How a passphrase becomes the 32 bytes that this derivation begins with; null where the key is 32 bytes already. */
export function stretchingOf(kdf: Kdf): Stretching | null {
  return kdf.name === "hkdf-sha256" ? null : { salt: kdf.passphraseSalt, iterations: kdf.iterations };
}

/** PBKDF2-HMAC-SHA256 (NIST SP 800-132) of a passphrase, 32 bytes. */
export async function stretch(material: Uint8Array, { salt: text, iterations: times }: Stretching): Promise<Buffer> {
  return await promisify(pbkdf2)(material, Buffer.from(text, "base64"), times, KEY_BYTES, "sha256");
}

/** Derives the store's keys from the 32 bytes of a master key: HKDF-SHA256 (RFC 5869), one key for each purpose. */
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

/** The name of a master key, the same everywhere: 16 hexadecimal digits of a hash of its 32 bytes. */
export function fingerprintOf(keyBytes: Uint8Array): string {
  const hash = createHash("sha256").update("autokestra key fingerprint\n").update(keyBytes);
  return hash.digest("hex").slice(0, 16);
}

/** Compares in constant time. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What every use of a header with impossible parameters throws. */
export function headerBroken(reason: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `The header of the secret store ${reason}`, {
    hint: "Restore the store from a backup.",
  });
}
