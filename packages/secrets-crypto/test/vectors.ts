import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "@autokestra/secrets-core";

const folder = fileURLToPath(new URL("../../../../shared/vectors/", import.meta.url));

/** Test vectors of others lie beside the project. Where they are absent, this says so and returns null. */
function readVectors<T>(path: string, schema: z.ZodType<T>): T | null {
  if (!existsSync(folder + path)) {
    console.log(`test vectors ${path}: not there, not run`);
    return null;
  }
  return schema.parse(JSON.parse(readFileSync(folder + path, "utf8")));
}

const hex = z.string().transform((text) => Buffer.from(text, "hex"));

/** One test of Wycheproof's AES-GCM file, with the sizes of its group in bits. */
export interface GcmVector {
  readonly sizes: { readonly key: number; readonly iv: number; readonly tag: number };
  readonly id: number;
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly aad: Buffer;
  readonly msg: Buffer;
  readonly ct: Buffer;
  readonly tag: Buffer;
  readonly valid: boolean;
}

/** Wycheproof's AES-GCM vectors, or null. */
export function readGcmVectors(): GcmVector[] | null {
  const test = z.object({
    tcId: z.number(),
    key: hex,
    iv: hex,
    aad: hex,
    msg: hex,
    ct: hex,
    tag: hex,
    result: z.string(),
  });
  const group = z.object({ ivSize: z.number(), keySize: z.number(), tagSize: z.number(), tests: z.array(test) });
  const vectors = readVectors("wycheproof/aes_gcm_test.json", z.object({ testGroups: z.array(group) }));
  if (vectors === null) return null;
  return vectors.testGroups.flatMap(({ ivSize, keySize, tagSize, tests }) =>
    tests.map(({ tcId, result, ...bytes }) => ({
      ...bytes,
      sizes: { key: keySize, iv: ivSize, tag: tagSize },
      id: tcId,
      valid: result === "valid",
    })),
  );
}

/** One token of the Fernet specification. */
export interface FernetVector {
  /** What is wrong with it; empty for a good one. */
  readonly desc: string;
  readonly token: string;
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly ttlSeconds: number | undefined;
  readonly src: string | undefined;
}

/** The tokens in one file of the Fernet specification, or null. */
export function readFernetVectors(file: "generate" | "invalid" | "verify"): FernetVector[] | null {
  const vector = z.object({
    desc: z.string().default(""),
    token: z.string(),
    secret: z.string(),
    now: z.string().transform(Date.parse),
    ttl_sec: z.number().optional(),
    src: z.string().optional(),
  });
  const vectors = readVectors(`fernet/${file}.json`, z.array(vector));
  return vectors?.map(({ ttl_sec: ttlSeconds, src, ...given }) => ({ ...given, ttlSeconds, src })) ?? null;
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

/** Wycheproof's HKDF-SHA256 vectors, or null. */
export function readHkdfVectors(): HkdfVector[] | null {
  const test = z.object({
    tcId: z.number(),
    ikm: hex,
    salt: hex,
    info: hex,
    size: z.number(),
    okm: hex,
    result: z.string(),
  });
  const group = z.object({ tests: z.array(test) });
  const vectors = readVectors("wycheproof/hkdf_sha256_test.json", z.object({ testGroups: z.array(group) }));
  const tests = vectors?.testGroups.flatMap((each) => each.tests);
  return tests?.map(({ tcId, result, ...given }) => ({ ...given, id: tcId, valid: result === "valid" })) ?? null;
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

/** Wycheproof's PBKDF2-HMAC-SHA256 vectors, or null. */
export function readPbkdf2Vectors(): Pbkdf2Vector[] | null {
  const test = z.object({
    tcId: z.number(),
    password: hex,
    salt: hex,
    iterationCount: z.number(),
    dkLen: z.number(),
    dk: hex,
    result: z.string(),
  });
  const group = z.object({ tests: z.array(test) });
  const vectors = readVectors("wycheproof/pbkdf2_hmacsha256_test.json", z.object({ testGroups: z.array(group) }));
  const tests = vectors?.testGroups.flatMap((each) => each.tests);
  const rename = ({ tcId, iterationCount, dkLen, result, ...given }: z.infer<typeof test>): Pbkdf2Vector => ({
    ...given,
    id: tcId,
    iterations: iterationCount,
    size: dkLen,
    valid: result === "valid",
  });
  return tests?.map(rename) ?? null;
}

/** One ciphertext that AES-256-GCM opens under two keys, or null. */
export function readTwoKeysVector(): Record<string, Buffer> | null {
  const schema = z.object({ key1: hex, key2: hex, iv: hex, aad: hex, ct: hex, tag: hex, msg1: hex, msg2: hex });
  return readVectors("gcm-two-keys.json", schema);
}
