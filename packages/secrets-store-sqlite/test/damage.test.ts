import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import fc from "fast-check";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { makeVersion1 } from "./version-1-database.ts";

const DELETED = "2026-02-01T00:00:00.000Z";
const NAMES = Array.from({ length: 40 }, (_, index) => `SECRET_${index}`);

/** The bytes of a closed store in which each of the names has versions 1 and 2, and every fourth is deleted. */
async function sampleBytes(): Promise<Buffer> {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  for (const [index, name] of NAMES.entries()) {
    await putSecret(store, sampleSecret(name));
    await putSecret(store, sampleSecret(name, { version: 2 }), sampleSecret(name).metadata);
    if (index % 4 === 0) await store.delete(sampleId(name), DELETED);
  }
  await store.close();
  return readFileSync(path);
}

/** The same as version 1 leaves it. */
async function bytesOfVersion1(): Promise<Buffer> {
  const path = join(temporaryFolder(), "secrets.db");
  const versions = NAMES.flatMap((name, index) =>
    [1, 2].map((version) => sampleSecret(name, { version, deletedAt: index % 4 === 0 ? DELETED : null })),
  );
  makeVersion1(path, { header: "one", secrets: versions });
  return readFileSync(path);
}

const LAYOUTS = [
  [1, bytesOfVersion1],
  [2, sampleBytes],
] as const;

/**
 * Opens these bytes as a store and looks for every name.
 *
 * @returns the lies: a name that is said to be absent, or the record of another secret or version
 */
async function liesOf(bytes: Buffer): Promise<{ lies: string[]; refusals: number }> {
  const path = join(temporaryFolder(), "secrets.db");
  writeFileSync(path, bytes, { mode: 0o600 });
  const lies: string[] = [];
  let refusals = 0;
  const attempt = async (work: () => Promise<void>) => {
    await work().catch((error: unknown) => {
      refusals += 1;
      const code = errorCode(error);
      if (code !== "STORE_CORRUPT" && code !== "STORE_TOO_NEW") lies.push(`error ${code}`);
    });
  };
  await attempt(async () => {
    const store = await openSqliteStore(path);
    for (const [index, name] of NAMES.entries()) {
      const id = sampleId(name);
      const expected = index % 4 === 0 ? undefined : name;
      await attempt(async () => {
        const secret = await store.get(parseSecretName(name));
        if (secret?.metadata.name !== expected) lies.push(`get ${name}: ${secret?.metadata.name}`);
      });
      await attempt(async () => {
        const secret = await store.find(id);
        if (secret?.metadata.id !== id) lies.push(`find ${name}: ${secret?.metadata.name}`);
      });
      await attempt(async () => {
        const versions = await store.versions(id);
        if (versions.some(({ metadata }) => metadata.id !== id) || versions.length === 0) lies.push(`history ${name}`);
      });
    }
    await attempt(async () => {
      const names = (await store.list()).map((metadata) => metadata.name);
      if (names.some((name) => !NAMES.includes(name))) lies.push("list");
    });
    await store.close();
  });
  return { lies, refusals };
}

const LONG = process.env["LONG_TESTS"] === "true";

/** Once at each of its offsets in a page. */
const CUT_BYTES = LONG ? 512 : 5 * 512;

it.each(LAYOUTS)(
  "a store in layout %i cut at any multiple of 512 bytes is refused, never half a store",
  async (_, make) => {
    const bytes = await make();
    for (let length = 0; length < bytes.length; length += CUT_BYTES) {
      const { lies, refusals } = await liesOf(bytes.subarray(0, length));
      expect({ length, lies }).toEqual({ length, lies: [] });
      expect(refusals).toBeGreaterThan(0);
    }
  },
);

it("a name that is damaged in its row, and not in the index, is not listed under another", async () => {
  const bytes = await sampleBytes();
  const name = Buffer.from("SECRET_39");
  let refused = 0;
  for (let at = bytes.indexOf(name); at !== -1; at = bytes.indexOf(name, at + 1)) {
    const copy = Buffer.from(bytes);
    copy.write("SECRET_3:", at);
    const { lies, refusals } = await liesOf(copy);
    expect({ at, lies }).toEqual({ at, lies: [] });
    refused += refusals > 0 ? 1 : 0;
  }
  expect(refused).toBeGreaterThan(3);
});

it.each(LAYOUTS)(
  "a flipped byte never makes a name of layout %i absent, and never gives the record of another",
  async (_, make) => {
    const bytes = await make();
    let refused = 0;
    const place = fc.record({ at: fc.nat(bytes.length - 1), mask: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(place, async ({ at, mask }) => {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] ?? 0) ^ mask;
        const { lies, refusals } = await liesOf(copy);
        expect({ at, mask, lies }).toEqual({ at, mask, lies: [] });
        refused += refusals > 0 ? 1 : 0;
      }),
    );
    expect(refused).toBeGreaterThan(0);
  },
);
