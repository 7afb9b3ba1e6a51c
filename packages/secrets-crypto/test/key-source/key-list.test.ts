import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { KEY_VARIABLE, type MasterKeyOptions } from "../../src/index.ts";
import { exportKey, importKey, listKeys, openKnownStores } from "../../src/internal.ts";
import { FINGERPRINT, HEX, SECOND, stateOf, THIRD, temporaryFolder, writeKey } from "./key-folder.ts";

const PASSPHRASE = "correct horse battery staple";
const madeAt = "2026-01-01T00:00:00.000Z";
const store = { storeId: "5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11", epoch: 1 };
let root: string;
let keyFolder: string;
let keyFile: string;

beforeEach(() => {
  root = temporaryFolder();
  keyFolder = join(root, ".autokestra");
  mkdirSync(keyFolder, { mode: 0o700 });
  keyFile = writeKey(join(keyFolder, "secret.key"));
});

const options = () => ({ env: {}, keyFolder });

describe("listKeys", () => {
  it("lists each key once, with its places, and what is known to use it", async () => {
    writeKey(`${keyFile}.${FINGERPRINT}`);
    writeKey(`${keyFile}.${SECOND}.new`, HEX[1]);
    writeKey(join(keyFolder, "words"), PASSPHRASE);
    const known = openKnownStores(keyFolder);
    await known.memoryOf(join(root, "one")).remember({ ...store, fingerprint: FINGERPRINT });
    await known.memoryOf(join(root, "one")).remember({ ...store, epoch: 2, fingerprint: SECOND });
    await known.memoryOf(join(root, "two")).remember({ ...store, fingerprint: FINGERPRINT });
    await known.recordBackup({ path: join(root, "copy"), fingerprint: FINGERPRINT, madeAt });
    expect((await listKeys(options())).keys).toEqual([
      {
        fingerprint: FINGERPRINT,
        kind: "bytes",
        paths: [keyFile, `${keyFile}.${FINGERPRINT}`],
        isDefault: true,
        isPending: false,
        stores: [
          { path: join(root, "two"), state: "uses" },
          { path: join(root, "one"), state: "left" },
        ],
        backups: [{ path: join(root, "copy"), madeAt }],
      },
      {
        fingerprint: SECOND,
        kind: "bytes",
        paths: [`${keyFile}.${SECOND}.new`],
        isDefault: false,
        isPending: true,
        stores: [{ path: join(root, "one"), state: "uses" }],
        backups: [],
      },
      {
        fingerprint: null,
        kind: "passphrase",
        paths: [join(keyFolder, "words")],
        isDefault: false,
        isPending: false,
        stores: [],
        backups: [],
      },
    ]);
  });

  it("names stores and backups whose key is not here", async () => {
    const known = openKnownStores(keyFolder);
    await known.memoryOf(join(root, "one")).remember({ ...store, fingerprint: SECOND });
    await known.recordBackup({ path: join(root, "copy"), fingerprint: THIRD, madeAt });
    expect((await listKeys(options())).missing).toEqual([
      { fingerprint: SECOND, stores: [{ path: join(root, "one"), state: "uses" }], backups: [] },
      { fingerprint: THIRD, stores: [], backups: [{ path: join(root, "copy"), madeAt }] },
    ]);
  });

  it.each([
    ["the variable", (): MasterKeyOptions => ({ env: { [KEY_VARIABLE]: HEX[1] } }), (): string => KEY_VARIABLE],
    [
      "a named file",
      (): MasterKeyOptions => ({ keyFile: writeKey(join(root, "named"), HEX[1]) }),
      () => join(root, "named"),
    ],
    [
      "a prepared one beside it",
      (): MasterKeyOptions => ({ keyFile: prepared() }),
      () => `${join(root, "named")}.${SECOND}.new`,
    ],
  ] as const)("lists %s too", async (_, given, path) => {
    const { keys } = await listKeys({ ...options(), ...given() });
    expect(keys.filter(({ paths }) => paths.includes(path()))).toMatchObject([{ fingerprint: SECOND }]);
    expect(keys).toHaveLength(2);
  });

  function prepared(): string {
    writeKey(`${join(root, "named")}.${SECOND}.new`, HEX[1]);
    return writeKey(join(root, "named"));
  }

  it("is empty where there is nothing, and writes nothing", async () => {
    const empty = join(root, "empty");
    expect(await listKeys({ env: {}, keyFolder: empty })).toEqual({ keys: [], missing: [] });
    expect(await listKeys({ env: {}, keyFolder: null })).toEqual({ keys: [], missing: [] });
    expect(readdirSync(root)).toEqual([".autokestra"]);
  });
});

describe("exportKey", () => {
  it("writes one key to a new file, 0600", async () => {
    writeKey(`${keyFile}.${SECOND}`, Buffer.from(HEX[1], "hex"));
    const target = join(root, "a", "exported.key");
    await exportKey(options(), SECOND, target);
    expect([readFileSync(target, "utf8"), lstatSync(target).mode & 0o777]).toEqual([`${HEX[1]}\n`, 0o600]);
  });

  it.each([
    ["an unknown key", () => THIRD, "new", "KEY_MISSING"],
    ["a file that is there", () => FINGERPRINT, ".autokestra/secret.key", "OPTION_INVALID"],
    ["a folder that everybody can write to", () => FINGERPRINT, "open/new", "KEY_UNREADABLE"],
  ])("refuses %s, and changes nothing", async (_, fingerprint, target, code) => {
    mkdirSync(join(root, "open"));
    chmodSync(join(root, "open"), 0o777);
    const before = [root, keyFolder, join(root, "open")].map(stateOf);
    await expect(exportKey(options(), fingerprint(), join(root, target))).rejects.toMatchObject({ code });
    expect([root, keyFolder, join(root, "open")].map(stateOf)).toEqual(before);
  });
});

describe("importKey", () => {
  it("puts a key into the key folder, and once is enough", async () => {
    const file = writeKey(join(root, "other.key"), Buffer.from(HEX[1], "hex").toString("base64"));
    const path = `${keyFile}.${SECOND}`;
    expect(await importKey(options(), file)).toEqual({ fingerprint: SECOND, path, isNew: true });
    expect([readFileSync(path, "utf8"), lstatSync(path).mode & 0o777]).toEqual([`${HEX[1]}\n`, 0o600]);
    const before = stateOf(keyFolder);
    expect(await importKey(options(), file)).toEqual({ fingerprint: SECOND, path, isNew: false });
    expect(stateOf(keyFolder)).toEqual(before);
  });

  it("knows a key that the folder has under another name, and takes no prepared one for it", async () => {
    expect(await importKey(options(), writeKey(join(root, "copy")))).toMatchObject({ path: keyFile, isNew: false });
    writeKey(`${keyFile}.${SECOND}.new`, HEX[1]);
    expect(await importKey(options(), writeKey(join(root, "other"), HEX[1]))).toMatchObject({ isNew: true });
  });

  it("replaces nothing: another file of that name gets a neighbour", async () => {
    writeKey(`${keyFile}.${SECOND}`, HEX[2]);
    const { path } = await importKey(options(), writeKey(join(root, "other"), HEX[1]));
    expect([path, readFileSync(`${keyFile}.${SECOND}`, "utf8")]).toEqual([`${keyFile}.${SECOND}-2`, HEX[2]]);
  });

  it.each([
    ["no file", () => join(root, "none"), "OPTION_INVALID"],
    ["a passphrase", () => writeKey(join(root, "words"), PASSPHRASE), "KEY_INVALID"],
    ["no key", () => writeKey(join(root, "short"), "short"), "KEY_INVALID"],
    ["a file that others can read", () => writeKey(join(root, "open"), HEX[1], 0o644), "KEY_UNREADABLE"],
  ])("refuses %s, and changes nothing", async (_, file, code) => {
    const before = stateOf(keyFolder);
    await expect(importKey(options(), file())).rejects.toMatchObject({
      code,
      message: expect.not.stringContaining(PASSPHRASE),
    });
    expect(stateOf(keyFolder)).toEqual(before);
    await expect(importKey({ env: {}, keyFolder: null }, file())).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});
