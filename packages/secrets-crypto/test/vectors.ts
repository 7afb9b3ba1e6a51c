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
