import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMasterKeyProvider, KEY_FILE_VARIABLE, KEY_VARIABLE, type MasterKeyOptions } from "../../src/index.ts";
import { defaultKeyFolder, keyFilePath } from "../../src/internal.ts";
import { FINGERPRINT, fingerprintOfKey, HEX, namesOf, SECOND, stateOf, THIRD, writeKey } from "./key-folder.ts";

let keyFolder: string;
let keyFile: string;
let given: string;

beforeEach(() => {
  keyFolder = join(mkdtempSync(join(tmpdir(), "autokestra-provider-")), ".autokestra");
  mkdirSync(keyFolder, { mode: 0o700 });
  keyFile = join(keyFolder, "secret.key");
  given = join(keyFolder, "..", "given.key");
});

afterEach(() => {
  rmSync(join(keyFolder, ".."), { recursive: true, force: true });
});

async function tried(options: MasterKeyOptions, fingerprint: string | null = null): Promise<string[]> {
  const search = await createMasterKeyProvider({ env: {}, keyFolder, ...options }).search();
  return await namesOf(search.keys(fingerprint));
}

describe("K1, K31: a given key is tried alone, the first one that is set", () => {
  beforeEach(() => {
    writeKey(keyFile, HEX[0]);
    writeKey(given, HEX[1]);
    writeKey(`${keyFile}.${THIRD}.new`, HEX[2]);
  });

  it.each([
    [
      "the named file",
      (): MasterKeyOptions => ({ keyFile: given, env: { [KEY_VARIABLE]: HEX[2] } }),
      () => `${given} ${SECOND}`,
    ],
    [
      "the variable",
      (): MasterKeyOptions => ({ env: { [KEY_VARIABLE]: HEX[2], [KEY_FILE_VARIABLE]: given } }),
      () => `${KEY_VARIABLE} ${THIRD}`,
    ],
    [
      "the file of the variable",
      (): MasterKeyOptions => ({ env: { [KEY_FILE_VARIABLE]: given } }),
      () => `${given} ${SECOND}`,
    ],
    ["the default file, by its name", (): MasterKeyOptions => ({ keyFile }), () => `${keyFile} ${FINGERPRINT}`],
  ])("%s, though the key folder has the one that is looked for", async (_, options, expected) => {
    expect(await tried(options(), SECOND)).toEqual([expected()]);
    const search = await createMasterKeyProvider({ env: {}, keyFolder, ...options() }).search();
    expect(search.isGiven).toBe(true);
  });

  it("K31: a wrong variable leaves a key that a rotation has prepared alone, in every way", async () => {
    const before = stateOf(keyFolder);
    expect(await tried({ env: { [KEY_VARIABLE]: HEX[1] } }, THIRD)).toEqual([`${KEY_VARIABLE} ${SECOND}`]);
    expect(stateOf(keyFolder)).toEqual(before);
  });

  it("a given file that is not there is not replaced by another key", async () => {
    expect(await tried({ keyFile: join(keyFolder, "typo") }, FINGERPRINT)).toEqual([]);
    expect(await tried({ env: { [KEY_FILE_VARIABLE]: "/typo" } }, FINGERPRINT)).toEqual([]);
  });

  it("a given file comes with what a rotation has left beside it, and nothing else", async () => {
    writeKey(`${given}.${FINGERPRINT}.new`, HEX[0]);
    writeKey(`${given}.0123abcd.new`, HEX[2]);
    writeKey(`${given}.${FINGERPRINT}`, HEX[0]);
    const [file, prepared, old] = [
      `${given} ${SECOND}`,
      `${given}.${FINGERPRINT}.new ${FINGERPRINT}`,
      `${given}.0123abcd.new ${THIRD}`,
    ];
    expect(await tried({ keyFile: given })).toEqual([file, old, prepared]);
    expect(await tried({ keyFile: given }, FINGERPRINT)).toEqual([file, old, prepared]);
    expect(await tried({ keyFile: given }, THIRD)).toEqual([file, old]);
  });
});

describe("where no key is given", () => {
  it("the default key comes first, then those with the right name, then all that read as a key", async () => {
    writeKey(keyFile, HEX[0]);
    writeKey(join(keyFolder, "a.key"), HEX[2]);
    writeKey(`${keyFile}.${THIRD}`, HEX[2]);
    writeKey(`${keyFile}.${SECOND}.new`, HEX[1]);
    writeKey(`${given.replace("given", ".autokestra/other")}.${SECOND}`, HEX[1]);
    expect(await tried({}, SECOND)).toEqual([
      `${keyFile} ${FINGERPRINT}`,
      `${keyFile}.${SECOND}.new ${SECOND}`,
      `${join(keyFolder, "other.key")}.${SECOND} ${SECOND}`,
      `${join(keyFolder, "a.key")} ${THIRD}`,
      `${keyFile}.${THIRD} ${THIRD}`,
    ]);
    expect((await tried({})).length).toBe(5);
    const search = await createMasterKeyProvider({ env: {}, keyFolder }).search();
    expect([search.isGiven, search.first?.source]).toEqual([false, keyFile]);
  });

  it("what is no key, or not private, is passed over", async () => {
    writeKey(join(keyFolder, "open"), HEX[0], 0o644);
    writeKey(join(keyFolder, "short"), "short");
    writeKey(join(keyFolder, "long"), "x".repeat(2000));
    writeKey(join(keyFolder, "stores.json"), "a text that is long enough");
    writeKey(join(keyFolder, "secret.key.lock"), "a text that is long enough");
    writeKey(join(keyFolder, "secret.key.1-x.draft"), "a text that is long enough");
    mkdirSync(join(keyFolder, "folder"));
    expect(await tried({})).toEqual([]);
  });

  it.each([
    ["is no key", "short", 0o600, "KEY_INVALID"],
    ["can be read by others", HEX[0], 0o640, "KEY_UNREADABLE"],
  ])("a default key that %s is an error", async (_, content, mode, code) => {
    writeKey(keyFile, content, mode);
    await expect(createMasterKeyProvider({ env: {}, keyFolder }).search()).rejects.toMatchObject({ code });
  });

  it("without a key folder it finds no key and creates none", async () => {
    const provider = createMasterKeyProvider({ env: {}, keyFolder: null });
    const search = await provider.search();
    expect([search.first, await namesOf(search.keys(null))]).toEqual([null, []]);
    await expect(provider.generate()).rejects.toMatchObject({ code: "KEY_MISSING" });
  });
});

it("K20: a search and its keys write nothing, also with a key that a killed rotation has left", async () => {
  writeKey(keyFile, HEX[0]);
  writeKey(`${keyFile}.${SECOND}.new`, HEX[1]);
  writeKey(join(keyFolder, "secret.key.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft"), HEX[2]);
  chmodSync(keyFolder, 0o500);
  const before = stateOf(keyFolder);
  expect(await tried({}, SECOND)).toContain(`${keyFile}.${SECOND}.new ${SECOND}`);
  expect(await tried({ keyFile }, SECOND)).toContain(`${keyFile}.${SECOND}.new ${SECOND}`);
  expect(stateOf(keyFolder)).toEqual(before);
  chmodSync(keyFolder, 0o700);
});

describe("K19: every place that is looked at, in order", () => {
  it.each([
    [
      "nothing",
      {},
      () => ["AUTOKESTRA_SECRET_KEY (not set)", "AUTOKESTRA_SECRET_KEY_FILE (not set)", `${keyFile} (no such file)`],
    ],
    [
      "an empty variable",
      { [KEY_VARIABLE]: "", [KEY_FILE_VARIABLE]: "" },
      () => ["AUTOKESTRA_SECRET_KEY (not set)", "AUTOKESTRA_SECRET_KEY_FILE (not set)", `${keyFile} (no such file)`],
    ],
    [
      "a mistyped path",
      { [KEY_FILE_VARIABLE]: "/typo" },
      () => ["AUTOKESTRA_SECRET_KEY (not set)", "AUTOKESTRA_SECRET_KEY_FILE: /typo (no such file)"],
    ],
    ["a key in the variable", { [KEY_VARIABLE]: HEX[0] }, () => ["AUTOKESTRA_SECRET_KEY (a key)"]],
    [
      "a passphrase in the variable",
      { [KEY_VARIABLE]: "correct horse battery" },
      () => ["AUTOKESTRA_SECRET_KEY (a passphrase)"],
    ],
  ])("with %s set", async (_, env, expected) => {
    expect((await createMasterKeyProvider({ env: { ...env }, keyFolder }).search()).places).toEqual(expected());
  });

  it("with a named file, and with other keys in the folder", async () => {
    writeKey(join(keyFolder, "a.key"), HEX[0]);
    writeKey(join(keyFolder, "b.key"), HEX[1]);
    const named = await createMasterKeyProvider({ env: {}, keyFolder, keyFile: "/typo" }).search();
    expect(named.places).toEqual(["the key file that was named: /typo (no such file)"]);
    const found = await createMasterKeyProvider({ env: {}, keyFolder }).search();
    expect(found.places.slice(2)).toEqual([`${keyFile} (no such file)`, `2 other key files in ${keyFolder}`]);
  });
});

describe("K3: the variable", () => {
  const first = async (env: NodeJS.ProcessEnv, more: MasterKeyOptions = {}) =>
    await fingerprintOfKey((await createMasterKeyProvider({ env, keyFolder, ...more }).search()).first);

  it("is taken out of the environment when a provider is made, and serves every later one over it", async () => {
    const env: NodeJS.ProcessEnv = { [KEY_VARIABLE]: HEX[0], OTHER: "x" };
    const provider = createMasterKeyProvider({ env, keyFolder });
    expect(env).toEqual({ OTHER: "x" });
    for (let count = 0; count < 2; count++) {
      expect(await fingerprintOfKey((await provider.search()).first)).toBe(FINGERPRINT);
      expect(await first(env)).toBe(FINGERPRINT);
    }
    expect(await first({ OTHER: "x" })).toBe(null);
  });

  it("is replaced where it is set again, and not where it is set to nothing", async () => {
    const env: NodeJS.ProcessEnv = { [KEY_VARIABLE]: HEX[0] };
    expect(await first(env)).toBe(FINGERPRINT);
    env[KEY_VARIABLE] = HEX[1];
    expect(await first(env)).toBe(SECOND);
    env[KEY_VARIABLE] = "";
    expect(await first(env)).toBe(SECOND);
  });

  it("stays where the program that owns it wants it to", async () => {
    const env: NodeJS.ProcessEnv = { [KEY_VARIABLE]: HEX[0] };
    expect(await first(env, { keepInEnvironment: true })).toBe(FINGERPRINT);
    expect(env).toEqual({ [KEY_VARIABLE]: HEX[0] });
  });

  it("is taken out also where it holds no key, which is told each time and never repeated", async () => {
    const env: NodeJS.ProcessEnv = { [KEY_VARIABLE]: "hunter2" };
    const provider = createMasterKeyProvider({ env, keyFolder });
    expect(env).toEqual({});
    for (const attempt of [provider, createMasterKeyProvider({ env, keyFolder })]) {
      const message = expect.not.stringContaining("hunter2");
      await expect(attempt.search()).rejects.toMatchObject({ code: "KEY_INVALID", message });
    }
  });
});

describe("generate", () => {
  it.each([
    ["the default file", (): MasterKeyOptions => ({}), () => keyFile],
    ["the named file", (): MasterKeyOptions => ({ keyFile: given }), () => given],
    ["the file of the variable", (): MasterKeyOptions => ({ env: { [KEY_FILE_VARIABLE]: given } }), () => given],
  ])("makes %s, once, however many ask", async (_, options, path) => {
    const provider = createMasterKeyProvider({ env: {}, keyFolder, ...options() });
    const keys = await Promise.all([provider.generate(), provider.generate(), provider.generate()]);
    const made = await fingerprintOfKey((await provider.search()).first);
    expect(await Promise.all(keys.map(fingerprintOfKey))).toEqual([made, made, made]);
    expect(keys.map(({ source }) => source)).toEqual([path(), path(), path()]);
    expect(readdirSync(keyFolder)).toEqual(path() === keyFile ? ["secret.key"] : []);
  });

  it("KP5: not in the working directory where HOME is empty or relative", () => {
    expect(defaultKeyFolder({ HOME: "/h" })).toBe("/h/.autokestra");
    for (const HOME of ["", ".", "relative/home", undefined]) {
      expect(defaultKeyFolder({ HOME })).toBe(join(userInfo().homedir, ".autokestra"));
    }
  });
});

describe("keyFilePath", () => {
  it.each([
    [{ env: { HOME: "/h" } }, "/h/.autokestra/secret.key"],
    [{ env: { HOME: "/h", [KEY_FILE_VARIABLE]: "/k" } }, "/k"],
    [{ env: { HOME: "/h", [KEY_FILE_VARIABLE]: "" } }, "/h/.autokestra/secret.key"],
    [{ env: { HOME: "/h", [KEY_FILE_VARIABLE]: "/k" }, keyFile: "/o" }, "/o"],
    [{ env: { HOME: "/h" }, keyFolder: "/f" }, "/f/secret.key"],
    [{ env: { HOME: "/h" }, keyFolder: null }, null],
  ])("of %j is %s", (options, expected) => {
    expect(keyFilePath(options)).toBe(expected);
  });
});
