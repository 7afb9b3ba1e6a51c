import { join } from "node:path";
import type { SecretStore } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  diagnose,
  openSecretsManager,
  type RenewDataKeyOptions,
  readKeyDates,
  renewDataKey,
  rotateKeys,
  type SecretsManager,
  type SecretsOptions,
} from "../src/index.ts";
import { verifyRecords } from "../src/records.ts";

const DAY = 24 * 60 * 60 * 1000;
const QUARTER: RenewDataKeyOptions = { maxAgeMs: 90 * DAY };

let options: SecretsOptions;
let opened: SecretsManager[];

beforeEach(() => {
  const root = temporaryFolder();
  options = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets") };
  opened = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(opened.map(async ({ secrets }) => await secrets.close()));
});

async function open(more: Partial<SecretsOptions> = {}): Promise<SecretsManager> {
  const manager = await openSecretsManager({ ...options, ...more });
  opened.push(manager);
  return manager;
}

/** A manager of a store with this many secrets. */
async function filled(count: number, more: Partial<SecretsOptions> = {}): Promise<SecretsManager> {
  const manager = await open(more);
  const secrets = Array.from({ length: count }, (_, index) => `S${index}`);
  await manager.secrets.setAll(secrets.map((name) => ({ name, type: "apiKey", fields: { value: `of ${name}` } })));
  return manager;
}

/** Lets only the clock of dates go on: everything is older by so many days. */
function waitDays(days: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + days * DAY });
}

const statesOf = async ({ keys }: SecretsManager) => (await keys.keyring()).header.dataKeys.map(({ state }) => state);
const idsOf = async ({ keys }: SecretsManager) => (await keys.keyring()).header.dataKeys.map(({ id }) => id);

async function isSound(manager: SecretsManager, count: number): Promise<boolean> {
  const failures = (await diagnose(manager)).filter(({ status }) => status === "failure");
  const listed = await manager.secrets.list();
  for (const { name } of listed) {
    const { fields } = await manager.secrets.get(name);
    if (fields["value"] !== `of ${name}`) return false;
  }
  return failures.length === 0 && listed.length === count;
}

describe.each(["sqlite", "file"])("renewDataKey with %s", (backend) => {
  it("does nothing before it is time, and to no store", async () => {
    expect(await renewDataKey(await open({ backend }), { maxAgeMs: 0 })).toBe(false);
    const manager = await filled(3, { backend });
    waitDays(89);
    expect([await renewDataKey(manager, QUARTER), await statesOf(manager)]).toEqual([false, ["active"]]);
  });

  it("replaces the key when it is time, for whoever has the store open, and once", async () => {
    const manager = await filled(250, { backend });
    const other = await open();
    waitDays(91);
    expect(await renewDataKey(manager, QUARTER)).toBe(true);
    expect(await statesOf(other)).toEqual(["destroyed", "active"]);
    expect(await isSound(other, 250)).toBe(true);
    expect(await renewDataKey(other, QUARTER)).toBe(false);
  });

  it("is no problem to who verifies the records meanwhile", async () => {
    const manager = await filled(3, { backend });
    const { store } = manager;
    waitDays(91);
    let isRenewed = false;
    // The first secret is read before, and its key is destroyed then; the others have a key that was not there at the beginning.
    const versions: SecretStore["versions"] = async (...args) => {
      const read = await store.versions(...args);
      if (!isRenewed) isRenewed = await renewDataKey(await open(), QUARTER);
      return read;
    };
    const slow = Object.create(store, { versions: { value: versions } });
    expect(await verifyRecords({ ...manager, store: slow })).toEqual({ secrets: 3, versions: 3, problems: [] });
    expect(isRenewed).toBe(true);
  });
});

it("is done by one of many at a time, while others read and write", async () => {
  const manager = await filled(300);
  const others = [await open(), await open()];
  waitDays(91);
  const renewed = new AbortController();
  const writer = (async () => {
    for (let round = 0; !renewed.signal.aborted; round++) {
      const { secrets } = await open();
      await secrets.set({ name: "S7", type: "apiKey", fields: { value: "of S7" } });
      expect((await secrets.get(`S${round % 300}`)).fields["value"]).toBe(`of S${round % 300}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  const slowly = { ...QUARTER, secretsPerSecond: 1000 };
  const done = await Promise.all([manager, ...others].map(async (one) => await renewDataKey(one, slowly)));
  renewed.abort();
  await writer;
  expect(done.filter(Boolean)).toHaveLength(1);
  expect(await statesOf(manager)).toEqual(["destroyed", "active"]);
  expect(await isSound(manager, 300)).toBe(true);
});

it("encrypts no more secrets in a second than it may", async () => {
  const manager = await filled(201);
  waitDays(91);
  const startedAt = performance.now();
  await renewDataKey(manager, { ...QUARTER, secretsPerSecond: 500 });
  expect(performance.now() - startedAt).toBeGreaterThan(400);
});

it("is finished by the next call where it was stopped, with the same key", async () => {
  const manager = await filled(300);
  waitDays(91);
  const stop = new AbortController();
  const stopped = { ...QUARTER, onProgress: () => stop.abort(), signal: stop.signal };
  expect(await renewDataKey(manager, stopped)).toBe(false);
  expect(await statesOf(manager)).toEqual(["decrypt-only", "active"]);
  expect(await isSound(manager, 300)).toBe(true);
  const ids = await idsOf(manager);
  const next = await open();
  expect(await renewDataKey(next, { maxAgeMs: 10_000 * DAY })).toBe(true);
  expect([await idsOf(next), await statesOf(next)]).toEqual([ids, ["destroyed", "active"]]);
});

it("waits for the lease of a process that was killed, and for no longer", async () => {
  const manager = await filled(1);
  waitDays(91);
  const text = new Date(Date.now() + 15_000).toISOString();
  await manager.store.writeAnchor({ name: "data key lease", counter: 1, text, mac: "" }, null);
  expect(await renewDataKey(manager, QUARTER)).toBe(false);
  vi.setSystemTime(Date.now() + 15_001);
  expect(await renewDataKey(manager, QUARTER)).toBe(true);
});

it("gives way to a rotation that a person has begun", async () => {
  const manager = await filled(400);
  waitDays(91);
  let rotation: Promise<unknown> | undefined;
  const onProgress = () => {
    rotation ??= rotateKeys(options, { dataKey: true });
  };
  const renewal = renewDataKey(manager, { ...QUARTER, onProgress, secretsPerSecond: 400 });
  expect(await renewal).toBe(false);
  expect(await rotation).toMatchObject({ isComplete: true });
  expect(await statesOf(await open())).toEqual(["destroyed", "destroyed", "active"]);
});

it("is recorded, and not done where it cannot be", async () => {
  const manager = await filled(1, { audit: true });
  waitDays(91);
  await renewDataKey(manager, QUARTER);
  const records: unknown[] = [];
  for await (const { action, actor, outcome } of manager.audit?.records({ action: "keys.rotate" }) ?? []) {
    records.push([action, actor.kind, actor.id, outcome]);
  }
  expect(records).toEqual(["intent", "done"].map((outcome) => ["keys.rotate", "system", "schedule", outcome]));
  await manager.audit?.close();
  waitDays(91);
  await expect(renewDataKey(manager, QUARTER)).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
  expect(await statesOf(manager)).toEqual(["destroyed", "active"]);
});

describe("readKeyDates", () => {
  it("tells since when the keys are in use, and the doctor says it", async () => {
    expect(await readKeyDates(await open())).toBeNull();
    const manager = await filled(1);
    const dates = await readKeyDates(manager);
    expect(dates).toEqual({ masterKey: dates?.dataKey, dataKey: expect.stringMatching(/Z$/) });
    waitDays(91);
    await renewDataKey(manager, QUARTER);
    waitDays(10);
    const message = "The master key has been in use for 101 days, the data key for 10 days";
    expect(await diagnose(manager)).toContainEqual(expect.objectContaining({ status: "ok", message }));
    await rotateKeys(options);
    const rotated = await readKeyDates(await open());
    expect([rotated?.masterKey.slice(0, 10), rotated?.dataKey]).toEqual([
      new Date().toISOString().slice(0, 10),
      (await readKeyDates(manager))?.dataKey,
    ]);
  });

  it("believes no date that autokestra has not written", async () => {
    const manager = await filled(1);
    const { fingerprint } = await manager.keys.keyring();
    const first = await readKeyDates(manager);
    const text = `${fingerprint} 2030-01-01T00:00:00.000Z`;
    await manager.store.writeAnchor({ name: "master key", counter: 1, text, mac: "x" }, null);
    expect(await readKeyDates(manager)).toEqual(first);
    waitDays(5);
    await rotateKeys(options);
    expect((await readKeyDates(await open()))?.masterKey).toMatch(new Date().toISOString().slice(0, 10));
  });
});
