import { chownSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openKnownStores } from "../../src/internal.ts";
import { FINGERPRINT, SECOND, stateOf, THIRD, temporaryFolder, writeKey } from "./key-folder.ts";

const STORE = "5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11";
const OTHER_STORE = "6c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11";
const isRoot = process.geteuid?.() === 0;
let keyFolder: string;
let path: string;
let file: string;

beforeEach(() => {
  keyFolder = join(temporaryFolder(), ".autokestra");
  path = join(temporaryFolder(), "secrets");
  file = join(keyFolder, "stores.json");
});

afterEach(() => {
  vi.useRealTimers();
});

const state = (epoch: number, fingerprint: string, storeId = STORE) => ({ storeId, epoch, fingerprint });

async function remembered(...states: readonly ReturnType<typeof state>[]): Promise<unknown> {
  const memory = openKnownStores(keyFolder).memoryOf(path);
  for (const next of states) await memory.remember(next);
  return await memory.recall();
}

describe("what is remembered of a path", () => {
  it("is nothing at first, and nothing is written to say so", async () => {
    expect(await openKnownStores(keyFolder).memoryOf(path).recall()).toBe(null);
    expect(() => statSync(keyFolder)).toThrow("ENOENT");
  });

  it.each([
    ["the store", [state(1, FINGERPRINT)], state(1, FINGERPRINT), []],
    ["a new data key", [state(1, FINGERPRINT), state(2, FINGERPRINT)], state(2, FINGERPRINT), []],
    ["a new master key", [state(1, FINGERPRINT), state(2, SECOND)], state(2, SECOND), [FINGERPRINT]],
    ["two of them", [state(1, FINGERPRINT), state(2, SECOND), state(3, THIRD)], state(3, THIRD), [FINGERPRINT, SECOND]],
    [
      "an old header, opened on purpose",
      [state(1, FINGERPRINT), state(2, SECOND), state(1, FINGERPRINT)],
      state(1, FINGERPRINT),
      [],
    ],
    [
      "a rotation back",
      [state(1, FINGERPRINT), state(2, SECOND), state(3, FINGERPRINT)],
      state(3, FINGERPRINT),
      [SECOND],
    ],
    [
      "another store",
      [state(1, FINGERPRINT), state(2, SECOND), state(1, THIRD, OTHER_STORE)],
      state(1, THIRD, OTHER_STORE),
      [],
    ],
  ])("%s", async (_, states, last, left) => {
    expect(await remembered(...states)).toMatchObject({ ...last, left });
    expect([statSync(file).mode & 0o777, statSync(keyFolder).mode & 0o777]).toEqual([0o600, 0o700]);
  });

  it("is the same by every way to it", async () => {
    await remembered(state(1, FINGERPRINT));
    const link = join(keyFolder, "link");
    symlinkSync(join(path, ".."), link);
    expect(await openKnownStores(keyFolder).memoryOf(join(link, "secrets")).recall()).toMatchObject(
      state(1, FINGERPRINT),
    );
  });

  it("a key can be told to have been left", async () => {
    await remembered(state(1, FINGERPRINT));
    await openKnownStores(keyFolder).recordLeft(path, SECOND);
    expect(openKnownStores(keyFolder).list()).toMatchObject([{ path, left: [SECOND] }]);
  });

  it("is not written again within a day where nothing is new, and never by a look", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-01-01T00:00:00Z") });
    await remembered(state(1, FINGERPRINT));
    const before = stateOf(keyFolder);
    vi.setSystemTime(new Date("2026-01-01T23:00:00Z"));
    await remembered(state(1, FINGERPRINT));
    openKnownStores(keyFolder).list();
    expect(stateOf(keyFolder)).toEqual(before);
    vi.setSystemTime(new Date("2026-01-02T01:00:00Z"));
    expect(await remembered(state(1, FINGERPRINT))).toMatchObject({ openedAt: "2026-01-02T01:00:00.000Z" });
  });
});

it("a path is forgotten alone, and nothing is written where it is not known", async () => {
  const known = openKnownStores(keyFolder);
  const other = join(path, "other");
  await known.memoryOf(path).forget();
  expect(() => statSync(keyFolder)).toThrow("ENOENT");
  for (const each of [path, other]) await known.memoryOf(each).remember(state(1, FINGERPRINT));
  await known.memoryOf(path).forget();
  expect(await known.memoryOf(path).recall()).toBe(null);
  expect(known.list().map((store) => store.path)).toEqual([other]);
});

it("what many write at once is all there", async () => {
  const known = openKnownStores(keyFolder);
  const paths = Array.from({ length: 20 }, (_, index) => join(path, String(index)));
  await Promise.all(paths.map(async (each) => await known.memoryOf(each).remember(state(1, FINGERPRINT))));
  expect(
    known
      .list()
      .map((store) => store.path)
      .sort(),
  ).toEqual(paths.sort());
});

it("the newest thousand stores and backups are kept", async () => {
  mkdirSync(keyFolder, { mode: 0o700 });
  const openedAt = "2026-01-01T00:00:00.000Z";
  const numbers = Array.from({ length: 1000 }, (_, index) => `/old/${index}`);
  const stores = numbers.map((name) => ({ path: name, ...state(1, FINGERPRINT), left: [], openedAt }));
  const backups = numbers.map((name) => ({ path: name, fingerprint: FINGERPRINT, madeAt: openedAt }));
  writeFileSync(file, JSON.stringify({ stores, backups }), { mode: 0o600 });
  const known = openKnownStores(keyFolder);
  await known.memoryOf(path).remember(state(1, SECOND));
  await known.recordBackup({ path: `${path}.backup`, fingerprint: SECOND, madeAt: openedAt });
  expect([known.list().length, known.list()[0]?.path, known.list().at(-1)?.path]).toEqual([1000, "/old/1", path]);
  expect([known.backups().length, known.backups()[0]?.path, known.backups().at(-1)?.path]).toEqual([
    1000,
    "/old/1",
    `${path}.backup`,
  ]);
});

it("a backup is listed once, as it was made last", async () => {
  const known = openKnownStores(keyFolder);
  const madeAt = "2026-01-02T00:00:00.000Z";
  await known.recordBackup({ path, fingerprint: FINGERPRINT, madeAt: "2026-01-01T00:00:00.000Z" });
  await known.recordBackup({ path, fingerprint: SECOND, madeAt });
  expect(known.backups()).toEqual([{ path, fingerprint: SECOND, madeAt }]);
  expect(known.list()).toEqual([]);
});

describe("a list that cannot be trusted counts as empty, is told, and is left alone", () => {
  const good = JSON.stringify({ stores: [], backups: [] });
  it.each([
    ["no JSON", () => writeFileSync(file, "{", { mode: 0o600 }), "is damaged"],
    [
      "of another shape",
      () => writeFileSync(file, `{"stores":[{"path":1}],"backups":[]}`, { mode: 0o600 }),
      "is damaged",
    ],
    ["open to others", () => writeKey(file, good, 0o644), "can be read by others"],
    ["a link", () => symlinkSync("elsewhere", file), "is a symbolic link"],
    ["a folder", () => mkdirSync(file), "is not a regular file"],
    ["huge", () => writeFileSync(file, good.padEnd(5_000_000), { mode: 0o600 }), "is too large"],
    ...(isRoot
      ? [["of another user", () => chownSync(writeKey(file, good), 65534, 65534), "belongs to another user"] as const]
      : []),
  ] as const)("%s", async (_, arrange, problem) => {
    mkdirSync(keyFolder, { mode: 0o700 });
    arrange();
    const before = stateOf(keyFolder).slice(1);
    const known = openKnownStores(keyFolder);
    await known.memoryOf(path).remember(state(1, FINGERPRINT));
    expect([known.list(), known.backups(), known.problem()]).toEqual([[], [], `${file} ${problem}`]);
    expect(stateOf(keyFolder).slice(1)).toEqual(before);
  });

  it("a URL as it is", async () => {
    const url = "postgresql://db.example/secrets";
    await openKnownStores(keyFolder).memoryOf(url).remember(state(1, FINGERPRINT));
    expect(openKnownStores(keyFolder).list()).toMatchObject([{ path: url }]);
  });

  it("no problem where all is well", async () => {
    await remembered(state(1, FINGERPRINT));
    expect([openKnownStores(keyFolder).problem(), JSON.parse(readFileSync(file, "utf8")).stores.length]).toEqual([
      null,
      1,
    ]);
  });
});

it.each([
  ["where the key folder cannot be made", () => writeFileSync(keyFolder, "a file")],
  ["where another process keeps the lock", () => [mkdirSync(keyFolder), writeFileSync(`${file}.lock`, "1 x")]],
])("nothing is remembered, and nothing thrown, %s", async (_, arrange) => {
  arrange();
  expect(await remembered(state(1, FINGERPRINT))).toBe(null);
});

it("without a key folder nothing is remembered", async () => {
  const known = openKnownStores(null);
  await known.memoryOf(path).remember(state(1, FINGERPRINT));
  await known.recordBackup({ path, fingerprint: FINGERPRINT, madeAt: "2026-01-01T00:00:00.000Z" });
  await known.recordLeft(path, FINGERPRINT);
  expect([known.list(), known.backups(), known.problem(), await known.memoryOf(path).recall()]).toEqual([
    [],
    [],
    null,
    null,
  ]);
});
