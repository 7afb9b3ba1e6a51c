import { readFileSync } from "node:fs";

/** Reads a file of vectors/ (its README.md names the sources). `inHex`: the fields that are bytes. */
function readVectors<Vector>(name: string, inHex: readonly (string & keyof Vector)[]): Vector[] {
  const text = readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8");
  const { vectors } = JSON.parse(text) as { vectors: Record<string, unknown>[] };
  return vectors.map((vector) => {
    const bytes = inHex.map((field) => [field, Buffer.from(String(vector[field]), "hex")]);
    return { ...vector, ...Object.fromEntries(bytes) } as Vector;
  });
}

/** One test of Wycheproof's AES-GCM file. */
export interface GcmVector {
  readonly id: number;
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly aad: Buffer;
  readonly msg: Buffer;
  readonly ct: Buffer;
  readonly tag: Buffer;
  readonly valid: boolean;
}

/** Wycheproof's AES-GCM vectors, of all sizes of key, IV and tag. */
export function readGcmVectors(): GcmVector[] {
  return readVectors("aes-gcm", ["key", "iv", "aad", "msg", "ct", "tag"]);
}

/** One token of the Fernet specification. */
export interface FernetVector {
  readonly id: number;
  /** The file of the specification that has it. */
  readonly file: "generate" | "invalid" | "verify";
  readonly token: string;
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly ttlSeconds?: number;
  /** What is in it; a token of `invalid` has none. */
  readonly src?: string;
}

/** The tokens of the Fernet specification. */
export function readFernetVectors(): FernetVector[] {
  return readVectors("fernet", []);
}

/** One test of Wycheproof's HKDF-SHA256 file. */
export interface HkdfVector {
  readonly id: number;
  readonly ikm: Buffer;
  readonly salt: Buffer;
  readonly info: Buffer;
  /** Bytes. */
  readonly size: number;
  readonly okm: Buffer;
  readonly valid: boolean;
}

/** Wycheproof's HKDF-SHA256 vectors. */
export function readHkdfVectors(): HkdfVector[] {
  return readVectors("hkdf-sha256", ["ikm", "salt", "info", "okm"]);
}

/** One test of Wycheproof's PBKDF2-HMAC-SHA256 file. */
export interface Pbkdf2Vector {
  readonly id: number;
  readonly password: Buffer;
  readonly salt: Buffer;
  readonly iterations: number;
  /** Bytes. */
  readonly size: number;
  readonly dk: Buffer;
  readonly valid: boolean;
}

/** Wycheproof's PBKDF2-HMAC-SHA256 vectors. */
export function readPbkdf2Vectors(): Pbkdf2Vector[] {
  return readVectors("pbkdf2-hmac-sha256", ["password", "salt", "dk"]);
}

/** One ciphertext that AES-256-GCM decrypts under two keys, to two messages. */
export interface TwoKeysVector {
  readonly key1: Buffer;
  readonly key2: Buffer;
  readonly iv: Buffer;
  readonly aad: Buffer;
  readonly ct: Buffer;
  readonly tag: Buffer;
  readonly msg1: Buffer;
  readonly msg2: Buffer;
}

/** The ciphertext that was made for this project. */
export function readTwoKeysVector(): TwoKeysVector {
  const fields = ["key1", "key2", "iv", "aad", "ct", "tag", "msg1", "msg2"] as const;
  const [vector] = readVectors<TwoKeysVector>("gcm-two-keys", fields);
  if (vector === undefined) throw new Error("gcm-two-keys.json is empty");
  return vector;
}
