import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMasterKeyProvider, KEY_VARIABLE, keyFilePath } from "../src/index.ts";

const HEX = "0123456789abcdef".repeat(4);
let folder: string;
let keyFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "autokestra-provider-"));
  keyFile = join(folder, "secret.key");
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function writeKeyFile(mode = 0o600): Promise<void> {
  await writeFile(keyFile, HEX, { mode });
  await chmod(keyFile, mode);
}

describe("createMasterKeyProvider", () => {
  it("takes the variable before the file, says that there is a file too, and removes the variable", async () => {
    await writeKeyFile();
    const env = { [KEY_VARIABLE]: "correct horse battery staple", OTHER: "x" };
    const key = await createMasterKeyProvider({ env, keyFile }).load();
    expect(key).toMatchObject({ kind: "passphrase", source: KEY_VARIABLE, otherSource: keyFile });
    expect(env).toEqual({ OTHER: "x" });
  });

  it("removes the variable even where it holds no key", async () => {
    const env = { [KEY_VARIABLE]: "short" };
    await expect(createMasterKeyProvider({ env, keyFile }).load()).rejects.toMatchObject({ code: "KEY_INVALID" });
    expect(env).toEqual({});
  });

  it("does not take the file where the variable is empty", async () => {
    await writeKeyFile();
    const env = { [KEY_VARIABLE]: "" };
    await expect(createMasterKeyProvider({ env, keyFile }).load()).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it("reads the file where there is no variable", async () => {
    await writeKeyFile();
    expect(await createMasterKeyProvider({ env: {}, keyFile }).load()).toMatchObject({
      source: keyFile,
      otherSource: null,
    });
  });

  it("has no key where there is neither, until one is generated", async () => {
    const provider = createMasterKeyProvider({ env: {}, keyFile });
    expect(await provider.load()).toBe(null);
    const key = await provider.generate();
    expect(await provider.load()).toEqual(key);
  });
});

describe("keyFilePath", () => {
  it.each([
    [{ env: { HOME: "/h" } }, "/h/.autokestra/secret.key"],
    [{ env: { HOME: "/h", AUTOKESTRA_SECRET_KEY_FILE: "/k" } }, "/k"],
    [{ env: { HOME: "/h", AUTOKESTRA_SECRET_KEY_FILE: "" } }, "/h/.autokestra/secret.key"],
    [{ env: { HOME: "/h", AUTOKESTRA_SECRET_KEY_FILE: "/k" }, keyFile: "/o" }, "/o"],
  ])("of %j is %s", (options, expected) => {
    expect(keyFilePath(options)).toBe(expected);
  });
});
