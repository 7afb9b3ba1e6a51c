import { execFile } from "node:child_process";
import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getSystemErrorMap, promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeyFile, keyFileError, readKeyFile } from "../../src/key-source/key-file.ts";
import { stateOf } from "./key-folder.ts";

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
    expect(readKeyFile(path)).toMatchObject({ kind });
  });

  it("returns null if there is no file", async () => {
    expect(readKeyFile(path)).toBe(null);
    expect(readKeyFile(join(path, "below"))).toBe(null);
  });

  it.each([
    ["nothing", ""],
    ["31 raw bytes", Buffer.alloc(31, 200)],
    ["33 raw bytes", Buffer.alloc(33, 200)],
    ["two lines", "first line of text\nsecond line\n"],
    ["two kilobytes", "x".repeat(2048)],
  ])("refuses %s", async (_, content) => {
    await write(content);
    expect(() => readKeyFile(path)).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });

  it.each([0o644, 0o640, 0o604, 0o660, 0o601])("refuses mode %o and tells the chmod", async (mode) => {
    await write(HEX, mode);
    expect(() => readKeyFile(path)).toThrow(
      expect.objectContaining({ code: "KEY_UNREADABLE", hint: `Run: chmod 600 '${path}'` }),
    );
  });

  it("refuses a symbolic link, a folder and a folder where everybody writes", async () => {
    await write(HEX);
    const link = join(folder, "link");
    await symlink(path, link);
    expect(() => readKeyFile(link)).toThrow(
      expect.objectContaining({
        code: "KEY_UNREADABLE",
        message: `The key file ${link} is a symbolic link`,
        hint: "Give the path of the file itself.",
      }),
    );
    await mkdir(join(folder, "dir"));
    expect(() => readKeyFile(join(folder, "dir"))).toThrow(expect.objectContaining({ code: "KEY_UNREADABLE" }));
    await chmod(folder, 0o777);
    expect(() => readKeyFile(path)).toThrow(
      expect.objectContaining({
        code: "KEY_UNREADABLE",
        hint: `Run: chmod o-w '${folder}'`,
      }),
    );
    await chmod(folder, 0o1777);
    expect(readKeyFile(path)).toMatchObject({ kind: "bytes" });
  });

  it("does not wait for a FIFO", async () => {
    await promisify(execFile)("mkfifo", ["-m", "600", path]);
    expect(() => readKeyFile(path)).toThrow(expect.objectContaining({ code: "KEY_UNREADABLE" }));
  });

  it.runIf(isRoot)("refuses the file of another user", async () => {
    await write(HEX);
    await chown(path, 65534, 65534);
    expect(() => readKeyFile(path)).toThrow(expect.objectContaining({ code: "KEY_UNREADABLE" }));
  });
});

describe("createKeyFile", () => {
  it("makes 32 random bytes, 0600 in a folder of 0700, and leaves nothing else", async () => {
    const below = join(folder, "a", "b");
    expect(createKeyFile(join(below, "secret.key"))).toBe(true);
    expect(await readFile(join(below, "secret.key"), "utf8")).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await lstat(join(below, "secret.key"))).mode & 0o777).toBe(0o600);
    expect((await lstat(below)).mode & 0o777).toBe(0o700);
    expect(await readdir(below)).toEqual(["secret.key"]);
  });

  it("never replaces a file", async () => {
    await write(HEX);
    expect(createKeyFile(path)).toBe(false);
    expect(await readFile(path, "utf8")).toBe(HEX);
  });

  it("says so where it cannot write", async () => {
    await write(HEX);
    expect(() => createKeyFile(join(path, "key"))).toThrow(
      expect.objectContaining({
        code: "KEY_UNREADABLE",
        message: `The key file ${join(path, "key")} cannot be written: not a directory`,
      }),
    );
    expect(() => createKeyFile(join(path, "below", "key"))).toThrow(
      expect.objectContaining({ code: "KEY_UNREADABLE" }),
    );
  });

  it("K20: a read changes nothing; the next key that is made removes what killed processes have left of theirs", async () => {
    await write(HEX);
    await writeFile(`${path}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, HEX);
    const before = stateOf(folder);
    readKeyFile(path);
    expect(stateOf(folder)).toEqual(before);
    createKeyFile(join(folder, "other.key"));
    expect((await readdir(folder)).sort()).toEqual(["other.key", "secret.key"]);
  });

  it("K17: nothing is made where it would not be read", async () => {
    const open = join(folder, "open");
    await mkdir(open);
    await chmod(open, 0o777);
    expect(() => createKeyFile(join(open, "secret.key"))).toThrow(expect.objectContaining({ code: "KEY_UNREADABLE" }));
    expect(await readdir(open)).toEqual([]);
  });

  it("K21: folders that were created for a key that cannot be written are removed again", async () => {
    const name = "x".repeat(250);
    expect(() => createKeyFile(join(folder, "a", "b", name))).toThrow(
      expect.objectContaining({
        message: `The key file ${join(folder, "a", "b", name)} cannot be written: name too long`,
      }),
    );
    expect(await readdir(folder)).toEqual([]);
  });
});

describe("keyFileError", () => {
  it.each([
    ["ENOSPC", "KEY_UNAVAILABLE", "no space left on device"],
    ["EROFS", "KEY_UNAVAILABLE", "read-only file system"],
    ["EDQUOT", "KEY_UNAVAILABLE", "EDQUOT"],
    ["EFBIG", "KEY_UNAVAILABLE", "file too large"],
    ["ENOMEM", "KEY_UNAVAILABLE", "not enough memory"],
    ["EBUSY", "KEY_UNAVAILABLE", "resource busy or locked"],
    ["ESTALE", "KEY_UNAVAILABLE", "ESTALE"],
    ["EMFILE", "KEY_UNAVAILABLE", "too many open files"],
    ["ENFILE", "KEY_UNAVAILABLE", "file table overflow"],
    ["EIO", "KEY_UNAVAILABLE", "i/o error"],
    ["EACCES", "KEY_UNREADABLE", "permission denied"],
    ["EPERM", "KEY_UNREADABLE", "operation not permitted"],
  ])("K21: %s is %s, %s", (name, code, reason) => {
    const errno = [...getSystemErrorMap()].find(([, [known]]) => known === name)?.[0];
    const error = Object.assign(new Error("a message"), { code: name, errno });
    expect(keyFileError("/k", "cannot be written", error)).toMatchObject({
      code,
      message: `The key file /k cannot be written: ${reason}`,
    });
  });
});
