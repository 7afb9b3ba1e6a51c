import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { array, assert, constant, dictionary, oneof, property, string } from "fast-check";
import { expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { EMPTY_DOCUMENT, formatDocument, parseDocument } from "../src/document.ts";
import { openFileStore } from "../src/index.ts";

it("what is written is read, whatever the header and the names", () => {
  const header = oneof(constant(null), string({ unit: anyCharacter }));
  const names = array(oneof(string(), constant("__proto__"), constant("constructor")));
  assert(
    property(header, names, dictionary(string(), string()), (text, all, rest) => {
      const items = all.map(
        (name) => [`id of ${name}`, { ...rest, name, id: `id of ${name}`, deletedAt: null }] as const,
      );
      const anchors = new Map(all.map((name) => [name, { ...rest, name }]));
      const document = { layout: 2, header: text, entries: new Map(items), anchors } as const;
      const active = new Map(all.map((name) => [name, `id of ${name}`]));
      expect(parseDocument(Buffer.from(formatDocument(document)), "secrets.json")).toEqual({ ...document, active });
    }),
  );
});

it("the order of the entries does not depend on the order of the writes", () => {
  const texts = ["b 7", "B 1", "a 2", "a 1", "_ 3", "1 4"];
  const entries = texts.map((id) => [id, { name: id[0], id, deletedAt: "then" }] as const);
  const anchors = ["b", "a"].map((name) => [name, { name }] as const);
  const one = formatDocument({ layout: 2, header: null, entries: new Map(entries), anchors: new Map(anchors) });
  const other = formatDocument({
    layout: 2,
    header: null,
    entries: new Map(entries.toReversed()),
    anchors: new Map(anchors.toReversed()),
  });
  expect(one).toBe(other);
  const sorted = ["1 4", "B 1", "_ 3", "a 1", "a 2", "b 7"];
  expect(JSON.parse(one).secrets.map((entry: { id: string }) => entry.id)).toEqual(sorted);
  expect([...parseDocument(Buffer.from(one), "secrets.json").entries.keys()]).toEqual(sorted);
});

it("whatever changes in one of fifty secrets is one hunk in a diff", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  const store = await openFileStore(path);
  const tags = Array.from({ length: 20 }, (_, index) => `tag ${index}`);
  const samples = Array.from({ length: 50 }, (_, index) => sampleSecret(`SECRET_${index + 10}`, { tags }));
  await store.bulkInsert(samples.map((secret) => [secret]));

  async function hunksOf(write: () => Promise<unknown>): Promise<string> {
    const before = join(folder, "before");
    writeFileSync(before, readFileSync(path));
    await write();
    const script = 'diff -u "$1" "$2" | grep -c "^@@"';
    return execFileSync("sh", ["-c", script, "sh", before, path], { encoding: "utf8" }).trim();
  }

  const name = "SECRET_35";
  const { id } = sampleSecret(name).metadata;
  // Past the tenth version, one that is too many goes with each that comes.
  for (let version = 2; version <= 13; version++) {
    const secret = sampleSecret(name, { version, tags, updatedAt: "2026-02-02T00:00:00.000Z", type: "custom" });
    expect(await hunksOf(async () => await putSecret(store, secret, { id, revision: version - 1 }))).toBe("1");
  }
  const nonceOf = (version: number) => sampleSecret(name, { version }).envelope.nonce;
  for (const version of [5, 13]) {
    const sample = sampleSecret(name, { version });
    const secret = { ...sample, envelope: { ...sample.envelope, keyId: "12345678" }, mac: "another" };
    expect(await hunksOf(async () => await store.reencrypt([{ secret, nonce: nonceOf(version) }], null))).toBe("1");
  }
  const edited = sampleSecret(name, { version: 13, revision: 14, tags: ["another"] });
  const change = { versions: [edited], nonces: [nonceOf(13)], revision: 13 };
  expect(await hunksOf(async () => await store.rewrite(change, null))).toBe("1");
  expect(await hunksOf(async () => await store.delete(id, "2026-03-03T00:00:00.000Z"))).toBe("1");
  expect(await hunksOf(async () => await store.purge(id))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("SECRET_355", { tags })))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("ZULU")))).toBe("1");
  expect(await hunksOf(async () => await store.purge(sampleSecret("ZULU").metadata.id))).toBe("1");
  expect(await hunksOf(async () => await store.writeHeader("one", null))).toBe("1");
  for (const [counter, expected] of [
    [1, null],
    [2, 1],
  ] as const) {
    const anchor = { name: "audit", counter, text: "head", mac: "mac" };
    expect(await hunksOf(async () => await store.writeAnchor(anchor, expected))).toBe("1");
  }
  await store.close();
});

it("an empty document and one of one secret are written as they are documented", () => {
  expect(formatDocument(EMPTY_DOCUMENT)).toBe(
    '{\n  "format": 2,\n  "header": null,\n  "secrets": [\n  ],\n  "anchors": [\n  ]\n}\n',
  );
  const entries = new Map([["1", { id: "1", name: "A", tags: ["x", "y"] }]]);
  const anchors = new Map([["audit", { name: "audit", counter: 1 }]]);
  expect(formatDocument({ layout: 2, header: "one", entries, anchors })).toBe(`{
  "format": 2,
  "header": "one",
  "secrets": [
    {
      "id": "1",
      "name": "A",
      "tags": ["x","y"]
    }
  ],
  "anchors": [
    {"name":"audit","counter":1}
  ]
}
`);
});

it("a document of format 1 is written as version 1 has written it", () => {
  const bytes = readFileSync(new URL("fixtures/v1/secrets.json", import.meta.url));
  const document = parseDocument(bytes, "secrets.json");
  expect(document).toMatchObject({ layout: 1, anchors: new Map() });
  expect(formatDocument(document)).toBe(bytes.toString());
});
