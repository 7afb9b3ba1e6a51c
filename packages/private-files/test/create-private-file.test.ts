import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { bundleScript, modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import {
  buildInPrivateFolder,
  createPrivateFile,
  streamPrivateFile,
  sweepDeadTemporaryFiles,
  sweepTemporaryFiles,
} from "../src/index.ts";

it.each(["000", "002", "022", "077", "277"])("file and folders are 0600 and 0700 under umask %s", async (umask) => {
  const folder = temporaryFolder();
  // A umask that takes from the owner would leave a folder that nobody can fill.
  if (umask === "277") mkdirSync(join(folder, "a", "b"), { recursive: true, mode: 0o700 });
  expect(await run(await creator(), [folder, "x"], umask)).toBe("true");
  expect(["a", "a/b", "a/b/file"].map((place) => modeOf(join(folder, place)))).toEqual(["700", "700", "600"]);
});

it.each([
  ["a file", (path: string) => writeFileSync(path, "first")],
  ["a folder", (path: string) => mkdirSync(path)],
  ["a link to nothing", (path: string) => symlinkSync("nothing", path)],
])("%s that is there stays, and nothing is left beside it", (_, place) => {
  const folder = temporaryFolder();
  const path = join(folder, "file");
  place(path);
  const before = lstatSync(path).ino;
  expect(createPrivateFile(path, "second")).toBe(false);
  expect([lstatSync(path).ino, readdirSync(folder)]).toEqual([before, ["file"]]);
});

it("a folder that is not there is an error of the file system", () => {
  const path = join(temporaryFolder(), "none", "file");
  expect(() => createPrivateFile(path, "x")).toThrow(expect.objectContaining({ code: "ENOENT" }));
});

describe("streamPrivateFile", () => {
  async function* pieces(...texts: string[]) {
    for (const text of texts) {
      if (text === "failure") throw new Error(text);
      yield Buffer.from(text);
    }
  }

  it("joins the pieces, and is checked whole and private before it has its name", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "file");
    const check = async (temporary: string) => {
      expect([modeOf(temporary), readFileSync(temporary, "utf8"), existsSync(path)]).toEqual(["600", "onetwo", false]);
    };
    expect(await streamPrivateFile(path, pieces("one", "two"), check)).toBe(true);
    expect([modeOf(path), readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["600", "onetwo", ["file"]]);
    expect(await streamPrivateFile(path, pieces("again"), async () => undefined)).toBe(false);
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["onetwo", ["file"]]);
  });

  it.each([
    ["a piece", pieces("one", "failure"), async () => undefined],
    ["the check", pieces("one"), async () => await Promise.reject(new Error("failure"))],
  ])("leaves nothing where %s fails", async (_, content, check) => {
    const folder = temporaryFolder();
    await expect(streamPrivateFile(join(folder, "file"), content, check)).rejects.toThrow("failure");
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("buildInPrivateFolder", () => {
  it("K18: what a library builds with its own mode is 0600, and reachable by nobody else from the first byte", () => {
    const folder = temporaryFolder();
    const path = join(folder, "file");
    const build = (file: string) => {
      writeFileSync(file, "built", { mode: 0o644 });
      writeFileSync(`${file}-journal`, "built", { mode: 0o644 });
      expect([modeOf(dirname(file)), existsSync(path)]).toEqual(["700", false]);
    };
    expect(buildInPrivateFolder(path, build)).toBe(true);
    expect([modeOf(path), readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["600", "built", ["file"]]);
    expect(buildInPrivateFolder(path, (file) => writeFileSync(file, "again"))).toBe(false);
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["built", ["file"]]);
  });

  it("K18: two that build the same file at once do not disturb each other: one wins, whole", () => {
    const folder = temporaryFolder();
    const path = join(folder, "file");
    const later = buildInPrivateFolder(path, (first) => {
      sweepTemporaryFiles(path);
      sweepDeadTemporaryFiles(folder);
      expect(buildInPrivateFolder(path, (second) => writeFileSync(second, "second"))).toBe(true);
      writeFileSync(first, "first");
    });
    expect([later, readFileSync(path, "utf8"), readdirSync(folder)]).toEqual([false, "second", ["file"]]);
  });

  it.each([
    [
      "fails",
      () => {
        throw new RangeError("broken");
      },
      "broken",
    ],
    ["makes nothing", () => undefined, "ENOENT"],
  ])("leaves nothing behind of a build that %s", (_, build, message) => {
    const folder = temporaryFolder();
    expect(() => buildInPrivateFolder(join(folder, "file"), build)).toThrow(message);
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** As many as `npm run faults` starts. */
const PROCESSES = process.env["LONG_TESTS"] === "true" ? 20 : 8;

it("of many processes that start at once one creates the file, and it is whole", { tags: ["faults"] }, async () => {
  const folder = temporaryFolder();
  const file = await creator();
  const contents = Array.from({ length: PROCESSES }, (_, index) => String(index).repeat(10_000));
  const outcomes = await Promise.all(contents.map(async (content) => await run(file, [folder, content])));
  expect(outcomes.filter((created) => created === "true")).toHaveLength(1);
  expect(readFileSync(join(folder, "a/b/file"), "utf8")).toBe(contents[outcomes.indexOf("true")]);
  expect(readdirSync(join(folder, "a/b"))).toEqual(["file"]);
});

async function creator(): Promise<string> {
  return await bundleScript(new URL("creator.ts", import.meta.url));
}
