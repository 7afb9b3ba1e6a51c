import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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

it("one changed, added or removed secret is one hunk in a diff", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  const store = await openFileStore(path);
  const hunksOf = async (write: () => Promise<unknown>) => {
    const before = join(folder, "before");
    writeFileSync(before, readFileSync(path));
    await write();
    const script = 'diff -u "$1" "$2" | grep -c "^@@"';
    return execFileSync("sh", ["-c", script, "sh", before, path], { encoding: "utf8" }).trim();
  };
  for (const name of ["A", "C", "E"]) await putSecret(store, sampleSecret(name, { tags: ["x", "y"] }));
  const changed = sampleSecret("C", { version: 2, updatedAt: "2026-02-02T00:00:00.000Z", tags: ["x", "y"] });
  expect(await hunksOf(async () => await putSecret(store, changed, 1))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("D")))).toBe("1");
  expect(await hunksOf(async () => await putSecret(store, sampleSecret("F")))).toBe("1");
  expect(await hunksOf(async () => await store.delete(changed.metadata.name))).toBe("1");
  await store.close();
});
