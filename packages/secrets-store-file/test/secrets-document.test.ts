import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { array, assert, constant, dictionary, oneof, property, string } from "fast-check";
import { expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { formatDocument, parseDocument } from "../src/secrets-document.ts";
import { temporaryFolder } from "./temporary-folder.ts";

it("what is written is read, whatever the header and the names", () => {
  const header = oneof(constant(null), string({ unit: "binary" }));
  const names = array(oneof(string(), constant("__proto__"), constant("constructor")));
  assert(
    property(header, names, dictionary(string(), string()), (text, all, rest) => {
      const entries = new Map(all.map((name) => [name, { ...rest, name }]));
      const document = { header: text, entries };
      expect(parseDocument(Buffer.from(formatDocument(document)), "secrets.json")).toEqual(document);
    }),
  );
});

it("the order of the names does not depend on the order of the writes", () => {
  const entries = ["b", "B", "a", "_", "1"].map((name) => [name, { name }] as const);
  const one = formatDocument({ header: null, entries: new Map(entries) });
  const other = formatDocument({ header: null, entries: new Map(entries.toReversed()) });
  expect(one).toBe(other);
  expect(JSON.parse(one).secrets.map((entry: { name: string }) => entry.name)).toEqual(["1", "B", "_", "a", "b"]);
});

it("whatever changes in one of fifty secrets is one hunk in a diff", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  const store = await openFileStore(path);
  const tags = Array.from({ length: 20 }, (_, index) => `tag ${index}`);
  const samples = Array.from({ length: 50 }, (_, index) => sampleSecret(`SECRET_${index + 10}`, { tags }));
  await store.load(samples.map((secret) => [secret]));

  async function hunksOf(write: () => Promise<unknown>): Promise<string> {
    const before = join(folder, "before");
    writeFileSync(before, readFileSync(path));
    await write();
    const script = 'diff -u "$1" "$2" | grep -c "^@@"';
    return execFileSync("sh", ["-c", script, "sh", before, path], { encoding: "utf8" }).trim();
  }

  const name = parseSecretName("SECRET_35");
  // Past the tenth version, one that is too many goes with each that comes.
  for (let version = 2; version <= 13; version++) {
    const secret = sampleSecret(name, { version, tags, updatedAt: "2026-02-02T00:00:00.000Z", type: "custom" });
    expect(await hunksOf(async () => await putSecret(store, secret, version - 1))).toBe("1");
  }
  const resealed = sampleSecret(name, { version: 5 });
  const envelope = { ...resealed.envelope, keyId: "12345678" };
  expect(await hunksOf(async () => await store.reseal([{ ...resealed, envelope }], null))).toBe("1");
  expect(await hunksOf(async () => await store.delete(name, "2026-03-03T00:00:00.000Z"))).toBe("1");
  expect(await hunksOf(async () => await store.restore(name))).toBe("1");
  expect(await hunksOf(async () => await store.purge(name))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("SECRET_355", { tags })))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("ZULU")))).toBe("1");
  expect(await hunksOf(async () => await store.purge(parseSecretName("ZULU")))).toBe("1");
  expect(await hunksOf(async () => await store.writeHeader("one", null))).toBe("1");
  await store.close();
});

it("an empty document and one of one secret are written as they are documented", () => {
  expect(formatDocument({ header: null, entries: new Map() })).toBe(
    '{\n  "format": 1,\n  "header": null,\n  "secrets": [\n  ]\n}\n',
  );
  const entries = new Map([["A", { name: "A", tags: ["x", "y"] }]]);
  expect(formatDocument({ header: "one", entries })).toBe(`{
  "format": 1,
  "header": "one",
  "secrets": [
    {
      "name": "A",
      "tags": ["x","y"]
    }
  ]
}
`);
});
