import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { replacePrivateFile } from "@autokestra/private-files";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { withFileView } from "../src/document-file.ts";
import { openFileStore } from "../src/index.ts";

it.each([
  ["a symbolic link", "a symbolic link", (path: string) => symlinkSync("elsewhere", path)],
  ["a folder", "not a regular file", (path: string) => mkdirSync(path)],
  ["a named pipe", "not a regular file", (path: string) => execFileSync("mkfifo", [path])],
])("%s in the place of the file is refused", async (_, kind, place) => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  const store = await openFileStore(path);
  rmSync(path);
  writeFileSync(join(folder, "elsewhere"), '{"format":2,"header":null,"secrets":[],"anchors":[]}');
  place(path);
  const refused = { code: "STORE_UNAVAILABLE", message: expect.stringContaining(`it is ${kind}`) };
  await expect(openFileStore(path)).rejects.toMatchObject(refused);
  await expect(putSecret(store, sampleSecret("A"))).rejects.toMatchObject(refused);
  expect(readFileSync(join(folder, "elsewhere"), "utf8")).toBe('{"format":2,"header":null,"secrets":[],"anchors":[]}');
  await store.close();
});

it.each([
  ["was replaced", (path: string) => renameSync(`${path}.other`, path), "other"],
  ["was rewritten under a new inode", (path: string) => rewrite(path), "rewritten"],
  ["was removed", (path: string) => rmSync(path), null],
])("a file that %s since it was read is left alone", (_, change, expected) => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  writeFileSync(path, "old");
  writeFileSync(`${path}.other`, "other");
  const replaced = withFileView(path, (view) => {
    change(path);
    return replacePrivateFile(path, "new", view.isCurrent);
  });
  expect([replaced, existsSync(path) ? readFileSync(path, "utf8") : null]).toEqual([false, expected]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".draft"))).toEqual([]);
});

function rewrite(path: string): void {
  rmSync(path);
  writeFileSync(path, "rewritten");
}

it("a file that has appeared since there was none is left alone", () => {
  const path = join(temporaryFolder(), "file");
  const replaced = withFileView(path, (view) => {
    writeFileSync(path, "first");
    return replacePrivateFile(path, "second", view.isCurrent);
  });
  expect([replaced, readFileSync(path, "utf8")]).toEqual([false, "first"]);
});

it("the drafts of killed processes are swept by making the store and by the next write, and nothing else is", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "secrets.json");
  const draft = `${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`;
  writeFileSync(draft, "half");
  writeFileSync(`${path}.backup`, "kept");
  writeFileSync(join(folder, "other.json.1.draft"), "kept");
  const left = ["other.json.1.draft", "secrets.json", "secrets.json.backup"];
  const store = await openFileStore(path);
  expect(readdirSync(folder)).toEqual(left);
  writeFileSync(draft, "half");
  await store.list();
  expect(readdirSync(folder)).toHaveLength(4);
  await putSecret(store, sampleSecret("A"));
  await store.close();
  expect(readdirSync(folder)).toEqual(left);
});
