import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modeOf, temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { replacePrivateFile, sweepDeadTemporaryFiles, sweepTemporaryFiles } from "../src/index.ts";

const yes = () => true;

it.each([
  ["an open one", (path: string) => writeFileSync(path, "old", { mode: 0o644 })],
  ["none", () => undefined],
])("a file takes the place of %s, with mode 0600", (_, place) => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  place(path);
  expect(replacePrivateFile(path, "new", yes)).toBe(true);
  expect([readFileSync(path, "utf8"), modeOf(path), readdirSync(folder)]).toEqual(["new", "600", ["file"]]);
});

it.each([
  ["is another by now", () => false],
  [
    "can no longer be replaced, as its temporary file was swept",
    (path: string) => replacePrivateFile(path, "theirs", yes),
  ],
])("a file that %s is left alone", (_, look) => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  writeFileSync(path, "theirs");
  expect(replacePrivateFile(path, "ours", () => look(path))).toBe(false);
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["theirs", ["file"]]);
});

it("an error of the last look is passed on, and the temporary file is removed", () => {
  const folder = temporaryFolder();
  const fail = () => {
    throw new RangeError("broken");
  };
  expect(() => replacePrivateFile(join(folder, "file"), "new", fail)).toThrow("broken");
  expect(readdirSync(folder)).toEqual([]);
});

it("the temporary files of killed processes are swept, and nothing else is", () => {
  const folder = temporaryFolder();
  const path = join(folder, "store.json");
  const temporary = `${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`;
  const kept = [
    "store.json.1.draft",
    "store.json.backup",
    "store.json.old.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft",
  ];
  for (const name of kept) writeFileSync(join(folder, name), "kept");
  writeFileSync(temporary, "half");
  expect(replacePrivateFile(path, "new", yes)).toBe(true);
  expect(existsSync(temporary)).toBe(false);
  expect(readdirSync(folder)).toEqual(["store.json", ...kept]);
});

it("K18: sweepTemporaryFiles leaves the temporary files of running processes", () => {
  const folder = temporaryFolder();
  const random = "5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft";
  const kept = [`file.1-${random}`, `file.${process.pid}-${random}`, `other.999999999-${random}`];
  for (const name of [...kept, `file.999999999-${random}`]) writeFileSync(join(folder, name), "x");
  sweepTemporaryFiles(join(folder, "file"));
  expect(readdirSync(folder).sort()).toEqual(kept.sort());
});

it("temporary files of processes that no longer run are swept whatever their name, folders too, and nothing else is", () => {
  const folder = temporaryFolder();
  const random = "5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft";
  const kept = [`a.${process.pid}-${random}`, `b.${random}`, "c.draft", `d.999999999-${random}.old`, "e"];
  for (const name of [...kept, `f.999999999-${random}`, `.g.h.999999999-${random}`])
    writeFileSync(join(folder, name), "x");
  mkdirSync(join(folder, `store.999999999-${random}`, "inside"), { recursive: true });
  sweepDeadTemporaryFiles(folder);
  expect(readdirSync(folder).sort()).toEqual(kept.sort());
});
