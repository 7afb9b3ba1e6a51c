import { execFile } from "node:child_process";
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeyFile, readKeyFile } from "../src/key-file.ts";

const HEX = "0123456789abcdef".repeat(4);
const isRoot = process.geteuid?.() === 0;
let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "autokestra-key-"));
  path = join(folder, "secret.key");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(content: string | Buffer, mode = 0o600): Promise<void> {
  await writeFile(path, content);
  await chmod(path, mode);
}

describe("readKeyFile", () => {
  it.each([
    ["hex", `${HEX}\n`, "bytes"],
    ["32 raw bytes", Buffer.from(HEX, "hex"), "bytes"],
    ["a passphrase", "correct horse battery staple\n", "passphrase"],
    ["a passphrase of 32 bytes", "thirty-two bytes of a passphrase", "passphrase"],
  ])("reads %s", async (_, content, kind) => {
    await write(content);
    expect(await readKeyFile(path)).toMatchObject({ kind });
  });

  it("answers null where there is none", async () => {
    expect(await readKeyFile(path)).toBe(null);
    expect(await readKeyFile(join(path, "below"))).toBe(null);
  });

  it.each([
    ["nothing", ""],
    ["31 raw bytes", Buffer.alloc(31, 200)],
    ["33 raw bytes", Buffer.alloc(33, 200)],
    ["two lines", "first line of text\nsecond line\n"],
    ["two kilobytes", "x".repeat(2048)],
  ])("refuses %s", async (_, content) => {
    await write(content);
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it.each([0o644, 0o640, 0o604, 0o660, 0o601])("refuses mode %o and tells the chmod", async (mode) => {
    await write(HEX, mode);
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: "KEY_UNREADABLE", hint: `Run: chmod 600 '${path}'` });
  });

  it("refuses a symbolic link, a folder and a folder where everybody writes", async () => {
    await write(HEX);
    const link = join(folder, "link");
    await symlink(path, link);
    await expect(readKeyFile(link)).rejects.toMatchObject({
      code: "KEY_UNREADABLE",
      message: `The key file ${link} is a symbolic link`,
      hint: "Give the path of the file itself with --key-file.",
    });
    await mkdir(join(folder, "dir"));
    await expect(readKeyFile(join(folder, "dir"))).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
    await chmod(folder, 0o777);
    await expect(readKeyFile(path)).rejects.toMatchObject({
      code: "KEY_UNREADABLE",
      hint: `Run: chmod o-w '${folder}'`,
    });
    await chmod(folder, 0o1777);
    expect(await readKeyFile(path)).toMatchObject({ kind: "bytes" });
  });

  it("does not wait for a FIFO", async () => {
    await promisify(execFile)("mkfifo", ["-m", "600", path]);
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
  });

  it.runIf(isRoot)("refuses the file of another user", async () => {
    await write(HEX);
    await chown(path, 65534, 65534);
    await expect(readKeyFile(path)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
  });
});

describe("createKeyFile", () => {
  it("makes 32 random bytes, 0600 in a folder of 0700, and leaves nothing else", async () => {
    const below = join(folder, "a", "b");
    expect(await createKeyFile(join(below, "secret.key"))).toBe(true);
    expect(await readFile(join(below, "secret.key"), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await lstat(join(below, "secret.key"))).mode & 0o777).toBe(0o600);
    expect((await lstat(below)).mode & 0o777).toBe(0o700);
    expect(await readdir(below)).toEqual(["secret.key"]);
  });

  it("never replaces a file", async () => {
    await write(HEX);
    expect(await createKeyFile(path)).toBe(false);
    expect(await readFile(path, "utf8")).toBe(HEX);
  });

  it("lets one of many win, and all read the same key", async () => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, async () => await createKeyFile(path)));
    expect(outcomes.filter(Boolean)).toHaveLength(1);
    expect(await readdir(folder)).toEqual(["secret.key"]);
  });

  it("says so where it cannot write", async () => {
    await write(HEX);
    await expect(createKeyFile(join(path, "key"))).rejects.toMatchObject({
      code: "KEY_UNREADABLE",
      message: `The key file ${join(path, "key")} cannot be written (EEXIST)`,
    });
    await expect(createKeyFile(join(path, "below", "key"))).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
  });

  it("removes the keys that killed processes have left in drafts", async () => {
    await writeFile(`${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, HEX);
    expect(await createKeyFile(path)).toBe(true);
    expect(await readKeyFile(path)).not.toBe(null);
    expect(await readdir(folder)).toEqual(["secret.key"]);
  });
});
