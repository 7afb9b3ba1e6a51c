// @module-tag faults
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { copyFile, cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openKnownStores, readNewKeyFile } from "@autokestra/secrets-crypto/internal";
import { sharedFolder } from "@autokestra/test-kit";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  openSecretsManager,
  type RotateOptions,
  rotateKeys,
  type SecretsManager,
  type SecretsOptions,
} from "../src/index.ts";

const PASSPHRASE = "correct horse battery staple";

/** The same for each test, because a key folder remembers where its stores are. */
let root: string;
const shared = sharedFolder();
beforeAll(() => {
  root = join(shared(), "root");
});

function clear(): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { mode: 0o700 });
}

beforeEach(clear);

/** Fills the root once for the tests of a group: each of them begins with a copy. */
function beginWith(fillRoot: () => Promise<void>): void {
  const group = sharedFolder();
  let template: string;
  beforeAll(async () => {
    template = join(group(), "template");
    clear();
    await fillRoot();
    cpSync(root, template, { recursive: true });
  });
  beforeEach(() => cpSync(template, root, { recursive: true }));
}

const keyFolder = () => join(root, "home", ".autokestra");
const defaultKey = () => join(keyFolder(), "secret.key");
const knownStores = () => join(keyFolder(), "stores.json");

function place(more: Partial<SecretsOptions> = {}): SecretsOptions {
  return { env: { HOME: join(root, "home") }, storagePath: join(root, "one"), ...more };
}

function withVariable(name: string, value: string): SecretsOptions {
  return place({ env: { HOME: join(root, "home"), [name]: value } });
}

async function use<T>(options: SecretsOptions, work: (manager: SecretsManager) => Promise<T>): Promise<T> {
  const manager = await openSecretsManager(options);
  try {
    return await work(manager);
  } finally {
    await manager.secrets.close();
  }
}

async function fill(options: SecretsOptions): Promise<void> {
  await use(options, async ({ secrets }) => await secrets.set({ name: "A", type: "apiKey", fields: { value: "v" } }));
}

async function read(options: SecretsOptions): Promise<unknown> {
  return await use(options, async ({ secrets }) => (await secrets.get("A")).fields["value"]);
}

async function fingerprintOf(options: SecretsOptions): Promise<string> {
  return await use(options, async ({ keys }) => (await keys.keyring()).fingerprint);
}

/** What a rotation to the file has done until it was killed. */
async function rotateUntil(
  moment: "the key file was made" | "the header changed" | "it was remembered",
  options: SecretsOptions,
  newKeyFile: string,
): Promise<void> {
  await use(options, async ({ keys }) => {
    const { fingerprint } = await keys.keyring();
    const { key } = await readNewKeyFile(newKeyFile, {
      inUse: { fingerprint, stretching: null },
      keyFolder: keyFolder(),
    });
    if (moment === "the key file was made") return;
    const remembered = await readFile(knownStores());
    await keys.rotateMasterKey(key);
    if (moment === "the header changed") await writeFile(knownStores(), remembered);
  });
}

const MOMENTS = ["the key file was made", "the header changed", "it was remembered"] as const;

const PLACES: readonly [string, () => SecretsOptions, () => string][] = [
  ["the default key, to a file in the key folder", place, () => join(keyFolder(), "next.key")],
  ["the default key, to a file elsewhere", place, () => join(root, "next.key")],
  ["a named key file", () => place({ keyFile: join(root, "old.key") }), () => join(root, "next.key")],
  [
    "a named key file, to one in the key folder",
    () => place({ keyFile: join(root, "old.key") }),
    () => join(keyFolder(), "next.key"),
  ],
  [
    "a key file that a variable names",
    () => withVariable("AUTOKESTRA_SECRET_KEY_FILE", join(root, "old.key")),
    () => join(root, "next.key"),
  ],
  ["a key in a variable", () => withVariable("AUTOKESTRA_SECRET_KEY", "5a96".repeat(16)), () => join(root, "next.key")],
  ["a passphrase in a variable", () => withVariable("AUTOKESTRA_SECRET_KEY", PASSPHRASE), () => join(root, "next.key")],
];

const ASKED: readonly RotateOptions[] = [{}, { dataKey: true, allStores: true }];

/** What was asked for at each moment. Without LONG_TESTS one of the two: another one at the next moment, and at the next place. */
const CASES = MOMENTS.flatMap((moment, at) => ASKED.map((asked, index) => ({ moment, asked, turn: (at + index) % 2 })));
const LONG = process.env["LONG_TESTS"] === "true";

describe.each(PLACES)("K15: a rotation from %s", (from, options, newKey) => {
  const other = () => ({ ...options(), storagePath: join(root, "two") });
  let before: string;

  beginWith(async () => {
    await fill(options());
    await fill(other());
    before = await fingerprintOf(options());
  });

  const at = PLACES.findIndex(([name]) => name === from);
  const cases = CASES.filter(({ turn }) => LONG || turn === at % 2);

  it.each(cases)("killed after $moment is finished by the same words: $asked", async ({ moment, asked }) => {
    const newKeyFile = newKey();
    await rotateUntil(moment, options(), newKeyFile);
    const report = await rotateKeys(options(), { ...asked, newKeyFile });
    expect(report).toMatchObject({ before, keyFile: newKeyFile, isComplete: true });
    expect(report.otherStores).toEqual(asked.allStores === true ? [join(root, "two")] : []);
    expect(report.dataKeys.map(({ state }) => state)).toEqual(asked.dataKey ? ["destroyed", "active"] : ["active"]);
    expect(await read({ ...place(), keyFile: newKeyFile })).toBe("v");
    expect(await read(asked.allStores === true ? { ...other(), keyFile: newKeyFile } : other())).toBe("v");
    const known = openKnownStores(keyFolder()).list();
    expect(known.find(({ path }) => path.endsWith("one"))).toMatchObject({ fingerprint: report.after, left: [before] });
  });

  it("is under that key already where it has come to its end", async () => {
    const { after } = await rotateKeys(options(), { newKeyFile: newKey() });
    expect(await rotateKeys(options(), { newKeyFile: newKey() })).toMatchObject({ before, after, isComplete: true });
  });
});

describe("K15, K17: naming the key in use as the new one", () => {
  it("is refused where the store was never under another one: of the default key, and of one beside it", async () => {
    await fill(place());
    const two = place({ storagePath: join(root, "two") });
    await fill(two);
    const copy = join(root, "copy.key");
    await copyFile(defaultKey(), copy);
    for (const newKeyFile of [defaultKey(), copy]) {
      await expect(rotateKeys(place(), { newKeyFile })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
    const { before } = await rotateKeys(place());
    for (const newKeyFile of [`${defaultKey()}.${before}`, copy]) {
      await expect(rotateKeys(two, { newKeyFile })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    }
  });

  it("is refused for a copy of the default key, whatever was rotated before", async () => {
    await fill(place());
    await rotateKeys(place());
    await copyFile(defaultKey(), join(root, "copy.key"));
    await expect(rotateKeys(place(), { newKeyFile: join(root, "copy.key") })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });

  it("does not make a key good that was given and was never the one of the store", async () => {
    await fill(place({ keyFile: join(root, "own.key") }));
    await fill(place({ keyFile: join(root, "foreign.key"), storagePath: join(root, "two") }));
    const rotating = rotateKeys(place({ keyFile: join(root, "foreign.key") }), { newKeyFile: join(root, "own.key") });
    await expect(rotating).rejects.toMatchObject({ code: "KEY_WRONG" });
  });

  it("goes on where the key folder remembers nothing", async () => {
    const options = place({ keyFile: join(root, "old.key") });
    await fill(options);
    await rotateUntil("it was remembered", options, join(root, "next.key"));
    await rm(knownStores());
    expect(await rotateKeys(options, { newKeyFile: join(root, "next.key") })).toMatchObject({ isComplete: true });
  });
});

it("K15: goes back to a key that it has left, also where it is killed on the way", async () => {
  await fill(place());
  const newKeyFile = join(keyFolder(), "next.key");
  const { after } = await rotateKeys(place(), { newKeyFile });
  await rotateKeys(place());
  await rotateUntil("the header changed", place(), newKeyFile);
  await expect(read(place())).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  expect(await rotateKeys(place(), { newKeyFile })).toMatchObject({ after, isComplete: true });
  expect(await read(place())).toBe("v");
});

it("K15: rotates from the key that the store was under, not from the default one", async () => {
  await fill(place());
  const [two, three] = ["two", "three"].map((name) => place({ storagePath: join(root, name) }));
  if (two === undefined || three === undefined) return;
  await fill(two);
  const { before: kept } = await rotateKeys(place());
  await fill(three);
  const newKeyFile = join(keyFolder(), "next.key");
  await rotateUntil("the header changed", two, newKeyFile);
  expect(await rotateKeys(two, { newKeyFile, allStores: true })).toMatchObject({ before: kept, otherStores: [] });
  await cp(defaultKey(), join(root, "default.key"));
  expect(await read({ ...three, keyFile: join(root, "default.key") })).toBe("v");
});

/** A signal that has come when it is looked at for the n-th time. */
function signalAt(look: number): AbortSignal {
  const { signal } = new AbortController();
  let looks = 0;
  Object.defineProperty(signal, "aborted", { get: () => ++looks >= look });
  return signal;
}

const named = () => place({ keyFile: join(root, "shared.key") });
const next = () => join(root, "next.key");

const WAYS: readonly [string, () => SecretsOptions, () => RotateOptions][] = [
  ["in place", place, () => ({ dataKey: true })],
  ["of all stores, in place of a named file", named, () => ({ allStores: true, dataKey: true })],
  ["of all stores to a new file", named, () => ({ allStores: true, dataKey: true, newKeyFile: next() })],
];

describe.each(WAYS)("K15: a rotation %s that a signal ends", (_, options, rotation) => {
  const folders = ["one", "two", "three"];

  /** With the key that is named, or else with the new one. */
  async function readEither(store: SecretsOptions): Promise<unknown> {
    try {
      return await read(store);
    } catch {
      return await read({ ...store, keyFile: next() });
    }
  }

  async function readEverywhere(): Promise<unknown[]> {
    const values: unknown[] = [];
    for (const folder of folders) values.push(await readEither({ ...options(), storagePath: join(root, folder) }));
    return values;
  }

  beginWith(async () => {
    for (const folder of folders) await fill({ ...options(), storagePath: join(root, folder) });
  });

  it("before its first step has changed nothing", async () => {
    const before = await fingerprintOf(options());
    const report = await rotateKeys(options(), { ...rotation(), signal: AbortSignal.abort() });
    expect(report).toMatchObject({ before, after: before, otherStores: [], isComplete: false });
    expect(report.dataKeys).toMatchObject([{ state: "active" }]);
    expect(await fingerprintOf(options())).toBe(before);
  });

  it.each([1, 2, 3, 4, 5])("at its look %d loses nothing, and is finished by the same words", async (look) => {
    await rotateKeys(options(), { ...rotation(), signal: signalAt(look) });
    expect(await readEverywhere()).toEqual(["v", "v", "v"]);
    expect(await rotateKeys(options(), rotation())).toMatchObject({ isComplete: true });
    expect(await readEverywhere()).toEqual(["v", "v", "v"]);
    const fingerprints = openKnownStores(keyFolder())
      .list()
      .map(({ fingerprint }) => fingerprint);
    expect(new Set(fingerprints).size).toBe(rotation().allStores === true ? 1 : 2);
  });
});
