import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createMasterKeyProvider } from "../../src/index.ts";
import { findPreparedKeys, keepKey, prepareKey, readNewKeyFile } from "../../src/internal.ts";
import { fingerprintOf } from "../../src/key-derivation.ts";
import {
  FINGERPRINT,
  fingerprintOfKey,
  HEX,
  namesOf,
  SECOND,
  stateOf,
  THIRD,
  temporaryFolder,
  writeKey,
} from "./key-folder.ts";

const PASSPHRASE = "correct horse battery staple";
const isRoot = process.geteuid?.() === 0;
const no = async () => await Promise.resolve(false);
let folder: string;
let keyFile: string;

beforeEach(() => {
  folder = temporaryFolder();
  keyFile = writeKey(join(folder, "secret.key"));
});

/** The fingerprints of all keys in the folder. */
async function fingerprints(): Promise<string[]> {
  const search = await createMasterKeyProvider({ env: {}, keyFolder: folder }).search();
  const names = await namesOf(search.keys(null));
  return [...new Set(names.map((name) => name.split(" ").at(-1) ?? ""))].sort();
}

const text = (name = "secret.key") => readFileSync(join(folder, name), "utf8").trim();

describe("a prepared key", () => {
  it("is private and beside the key file, and the key before is kept by then", async () => {
    const { key, fingerprint } = await prepareKey(keyFile, FINGERPRINT);
    expect(readdirSync(folder).sort()).toEqual(
      ["secret.key", `secret.key.${FINGERPRINT}`, `secret.key.${fingerprint}.new`].sort(),
    );
    expect(readdirSync(folder).map((name) => lstatSync(join(folder, name)).mode & 0o777)).toEqual([
      0o600, 0o600, 0o600,
    ]);
    expect([await fingerprintOfKey(key), key.source]).toEqual([fingerprint, `${keyFile}.${fingerprint}.new`]);
    expect([text(), text(`secret.key.${FINGERPRINT}`)]).toEqual([HEX[0], HEX[0]]);
  });

  it("takes the place of the key file, once, and the one before stays under its fingerprint", async () => {
    const prepared = await prepareKey(keyFile, FINGERPRINT);
    await prepared.promote();
    await prepared.promote();
    expect(readdirSync(folder).sort()).toEqual(["secret.key", `secret.key.${FINGERPRINT}`]);
    expect(await fingerprints()).toEqual([FINGERPRINT, prepared.fingerprint].sort());
    expect(text(`secret.key.${FINGERPRINT}`)).toBe(HEX[0]);
  });

  it("K13: is never deleted, however old, and is found by its fingerprint an hour later", async () => {
    const left = await prepareKey(keyFile, FINGERPRINT);
    const hourAgo = Date.now() / 1000 - 3700;
    utimesSync(left.key.source, hourAgo, hourAgo);
    const other = await prepareKey(keyFile, FINGERPRINT);
    await other.promote();
    expect(await fingerprints()).toEqual([FINGERPRINT, left.fingerprint, other.fingerprint].sort());
    const found = await findPreparedKeys(keyFile, FINGERPRINT);
    expect(found.map(({ fingerprint }) => fingerprint)).toEqual([left.fingerprint]);
    await found[0]?.promote();
    expect(await fingerprints()).toEqual([FINGERPRINT, left.fingerprint, other.fingerprint].sort());
    expect(await findPreparedKeys(keyFile, FINGERPRINT)).toEqual([]);
  });

  it("K15: one of version 1 is found too, and put in place", async () => {
    writeKey(`${keyFile}.0123abcd.new`, HEX[1]);
    const [found] = await findPreparedKeys(keyFile, FINGERPRINT);
    await found?.promote();
    expect([found?.fingerprint, text(), text(`secret.key.${FINGERPRINT}`)]).toEqual([SECOND, HEX[1], HEX[0]]);
  });

  it("whose store has been rotated again is kept, and takes nobody's place", async () => {
    const first = await prepareKey(keyFile, FINGERPRINT);
    const second = await prepareKey(keyFile, FINGERPRINT);
    await second.promote();
    const inPlace = text();
    await first.promote(no);
    expect(text()).toBe(inPlace);
    expect(existsSync(`${keyFile}.${first.fingerprint}`)).toBe(true);
    expect(await fingerprints()).toEqual([FINGERPRINT, first.fingerprint, second.fingerprint].sort());
  });

  it("no key is lost where many are put in place at once", async () => {
    const prepared = await Promise.all(Array.from({ length: 8 }, async () => await prepareKey(keyFile, FINGERPRINT)));
    await Promise.all(prepared.map(async (key) => await key.promote()));
    expect(await fingerprints()).toEqual([FINGERPRINT, ...prepared.map(({ fingerprint }) => fingerprint)].sort());
    expect(readdirSync(folder).filter((name) => /lock|draft|new/.test(name))).toEqual([]);
  });
});

describe("keepKey", () => {
  it.each([
    ["a key, by its own fingerprint", HEX[0], FINGERPRINT],
    ["a passphrase, by that of the store", PASSPHRASE, THIRD],
  ])("keeps %s", (_, content, name) => {
    writeKey(keyFile, content);
    expect(keepKey(keyFile, THIRD)).toBe(`${keyFile}.${name}`);
    expect([text(`secret.key.${name}`), lstatSync(`${keyFile}.${name}`).mode & 0o777]).toEqual([content, 0o600]);
  });

  it.each([
    ["the same key is kept once", HEX[0], `secret.key.${FINGERPRINT}`],
    ["another file gets a longer name", HEX[1], `secret.key.${FINGERPRINT}-2`],
  ])("a name in use is compared byte for byte: %s", (_, there, expected) => {
    writeKey(`${keyFile}.${FINGERPRINT}`, there);
    expect(keepKey(keyFile, THIRD)).toBe(join(folder, expected));
    expect([text(`secret.key.${FINGERPRINT}`), text(expected)]).toEqual([there, HEX[0]]);
  });

  it("a link to the key file does not count as kept", () => {
    symlinkSync("secret.key", `${keyFile}.${FINGERPRINT}`);
    expect(keepKey(keyFile, THIRD)).toBe(`${keyFile}.${FINGERPRINT}-2`);
  });

  it("null where there is no key file", () => {
    expect(keepKey(join(folder, "none"), THIRD)).toBe(null);
  });
});

describe("a key file that cannot be replaced is found out before anything is made", () => {
  it.each([
    ["a link", () => symlinkSync(keyFile, join(folder, "link")), "link"],
    ["no key", () => writeKey(join(folder, "short"), "short"), "short"],
    ["in no folder", () => undefined, "none/secret.key"],
  ])("%s", async (_, arrange, name) => {
    arrange();
    const before = readdirSync(folder);
    await expect(prepareKey(join(folder, name), FINGERPRINT)).rejects.toMatchObject({
      code: expect.stringMatching(/^KEY_/),
    });
    expect(readdirSync(folder)).toEqual(before);
  });

  it.runIf(!isRoot)("in a folder that can only be read", async () => {
    chmodSync(folder, 0o500);
    await expect(prepareKey(keyFile, FINGERPRINT)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
    expect(readdirSync(folder)).toEqual(["secret.key"]);
    chmodSync(folder, 0o700);
  });
});

describe("K17: readNewKeyFile", () => {
  const inUse = { fingerprint: FINGERPRINT, stretching: null };
  const read = async (name: string, use: Parameters<typeof readNewKeyFile>[1]["inUse"] = inUse) =>
    await readNewKeyFile(join(folder, name), { keyFolder: null, inUse: use });

  it("creates a key if there is none, in private folders", async () => {
    const { key, isInUse } = await read("a/b/new.key");
    expect([key.kind, key.source, isInUse]).toEqual(["bytes", join(folder, "a/b/new.key"), false]);
    expect(["a", "a/b"].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  it("reads the key that is there, also one that an earlier attempt has made", async () => {
    const made = await fingerprintOfKey((await read("new.key")).key);
    expect(await fingerprintOfKey((await read("new.key")).key)).toBe(made);
  });

  it.each([
    ["itself", () => keyFile],
    ["a copy", () => writeKey(join(folder, "copy"), HEX[0].toUpperCase())],
    ["a hard link", () => linked("hard")],
    [
      "the same in another spelling",
      () => writeKey(join(folder, "base64"), Buffer.from(HEX[0], "hex").toString("base64")),
    ],
  ])("tells the key in use: %s", async (_, arrange) => {
    const name = basename(arrange());
    const before = stateOf(folder);
    expect((await read(name)).isInUse).toBe(true);
    expect(stateOf(folder)).toEqual(before);
  });

  it("tells the passphrase in use, by what the store makes of it", async () => {
    writeKey(join(folder, "passphrase"), PASSPHRASE);
    const { key } = await read("passphrase");
    const stretching = { salt: Buffer.alloc(16, 7).toString("base64"), iterations: 1000 };
    const fingerprint = fingerprintOf((await key.bytes(stretching)) ?? new Uint8Array());
    expect(await read("passphrase", { fingerprint, stretching })).toMatchObject({ isInUse: true });
    const other = await read("passphrase", { fingerprint, stretching: { ...stretching, iterations: 1001 } });
    expect(other).toMatchObject({ key: { kind: "passphrase" }, isInUse: false });
  });

  it.each([
    ["a link to nothing", () => symlinkSync("nothing", join(folder, "new.key")), "new.key"],
    ["a link to a key", () => symlinkSync(writeKey(join(folder, "x"), HEX[1]), join(folder, "new.key")), "new.key"],
    ["a folder", () => mkdirSync(join(folder, "new.key")), "new.key"],
    ["a file that others can read", () => writeKey(join(folder, "new.key"), HEX[1], 0o644), "new.key"],
    ["a folder that everybody can write to", () => openFolder("open"), "open/new.key"],
    ["a new folder in one that everybody can write to", () => openFolder("open"), "open/a/b/new.key"],
    ["a file where a folder should be", () => undefined, "secret.key/new.key"],
  ])("refuses %s, and leaves nothing behind", async (_, arrange, name) => {
    arrange();
    const before = [...stateOf(folder), ...inside("open")];
    await expect(read(name)).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
    expect([...stateOf(folder), ...inside("open")]).toEqual(before);
  });

  it.runIf(isRoot)("refuses a folder of another user, and leaves nothing behind", async () => {
    mkdirSync(join(folder, "theirs"));
    chownSync(join(folder, "theirs"), 65534, 65534);
    await expect(read("theirs/a/new.key")).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
    expect(readdirSync(join(folder, "theirs"))).toEqual([]);
  });

  function linked(name: string): string {
    linkSync(keyFile, join(folder, name));
    return join(folder, name);
  }

  function openFolder(name: string): void {
    mkdirSync(join(folder, name));
    chmodSync(join(folder, name), 0o777);
  }

  function inside(name: string): string[] {
    return existsSync(join(folder, name)) ? readdirSync(join(folder, name)) : [];
  }
});
