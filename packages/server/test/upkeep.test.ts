import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager, openTokens, type SecretsManager, type SecretsOptions } from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import * as age from "age-encryption";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createMetrics, createServer } from "../src/index.ts";
import { createUpkeep, type Upkeep, type UpkeepOptions } from "../src/upkeep.ts";

const DAY = 24 * 60 * 60 * 1000;

let root: string;
let place: SecretsOptions;
let manager: SecretsManager;
let recipient: string;
let lines: { readonly level: string; readonly event: string; readonly code?: string; readonly message?: string }[];
/** How long the upkeep wanted to wait, and what lets it go on. */
let pauses: { readonly ms: number; readonly end: () => void }[];
let upkeep: Upkeep | undefined;

beforeEach(async () => {
  root = temporaryFolder();
  place = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets"), audit: true };
  manager = await openSecretsManager(place);
  await manager.secrets.set({ name: "A", type: "apiKey", fields: { value: "one" } });
  recipient = await age.identityToRecipient(await age.generateIdentity());
  [lines, pauses] = [[], []];
});
afterEach(async () => {
  await upkeep?.stop();
  upkeep = undefined;
  vi.useRealTimers();
  await manager.secrets.close();
});

async function start(more: Partial<UpkeepOptions>): Promise<Upkeep> {
  const wait = async (ms: number, signal: AbortSignal) =>
    await new Promise<void>((resolve) => {
      pauses.push({ ms, end: resolve });
      signal.addEventListener("abort", () => resolve());
    });
  const log = { write: (line: string) => void lines.push(JSON.parse(line)) };
  upkeep = await createUpkeep({ manager, place, log, ...more }, wait);
  upkeep.start();
  return upkeep;
}

/** Waits until it waits for the so many-th time. */
const pausedAt = async (count: number) => await expect.poll(() => pauses.length).toBeGreaterThanOrEqual(count);

const backups = () => ({ folder: join(root, "backups"), everyMs: DAY, recipients: [recipient], keep: 2 });

async function figuresOf({ figures }: Upkeep): Promise<Record<string, number | null>> {
  const read = await Promise.all(figures.map(async ({ name, read: value }) => [name, await value()] as const));
  return Object.fromEntries(read);
}

it("makes a backup at once, and looks again when the next one is due, or after an hour", async () => {
  const running = await start({ backups: backups() });
  await pausedAt(1);
  expect(pauses[0]?.ms).toBe(DAY / 24);
  expect(lines).toMatchObject([{ level: "info", event: "backup" }]);
  const figures = await figuresOf(running);
  const now = Date.now() / 1000;
  expect(figures).toMatchObject({ autokestra_backup_failures_total: 0 });
  expect(now - Number(figures["autokestra_backup_last_success_timestamp_seconds"])).toBeLessThan(60);
  expect(figures["autokestra_backup_last_size_bytes"]).toBeGreaterThan(1000);
  pauses[0]?.end();
  await pausedAt(2);
  expect(readdirSync(join(root, "backups"))).toHaveLength(1);
});

it("tells of a failure, counts it, and tries again, later and later", async () => {
  writeFileSync(join(root, "backups"), "not a folder");
  const running = await start({ backups: backups() });
  for (let count = 1; count <= 8; count++) {
    await pausedAt(count);
    pauses[count - 1]?.end();
  }
  await pausedAt(9);
  expect(pauses.map(({ ms }) => ms / 60_000).slice(0, 9)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(lines[0]).toMatchObject({ level: "error", event: "backup", code: "STORE_UNAVAILABLE" });
  expect(await figuresOf(running)).toMatchObject({
    autokestra_backup_failures_total: 9,
    autokestra_backup_last_success_timestamp_seconds: null,
    autokestra_backup_last_size_bytes: null,
  });
  rmSync(join(root, "backups"));
  pauses[8]?.end();
  await pausedAt(10);
  expect(lines.at(-1)).toMatchObject({ level: "info", event: "backup" });
});

it("renews the data key when it is time", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 91 * DAY });
  const running = await start({ rotateDataKeyEveryMs: 90 * DAY });
  await pausedAt(1);
  expect(lines).toMatchObject([{ level: "info", event: "data key" }]);
  const figures = await figuresOf(running);
  const [master = 0, data = 0] = ["master", "data"].map((key) =>
    Number(figures[`autokestra_${key}_key_created_timestamp_seconds`]),
  );
  expect(data - master).toBeGreaterThan(90 * 24 * 3600);
  expect(figures["autokestra_data_key_renewal_failures_total"]).toBe(0);
  pauses[0]?.end();
  await pausedAt(2);
  expect(lines).toHaveLength(1);
});

it("tells nothing of an error that is not ours, and stops where it is", async () => {
  const broken = { ...manager, store: { ...manager.store, readHeader: async () => await Promise.reject("s3cret") } };
  const running = await start({ manager: broken, backups: backups() });
  await pausedAt(1);
  expect(lines).toMatchObject([{ level: "error", code: "INTERNAL", message: "string" }]);
  await running.stop();
  expect(pauses).toHaveLength(1);
});

it("wipes what runs have kept for too long each minute, and counts what fails", async () => {
  const failures = [new AutokestraError("HISTORY_UNAVAILABLE", "it is locked")];
  let wiped = 0;
  const history = {
    async wipeExpired() {
      const failure = failures.pop();
      if (failure !== undefined) throw failure;
      wiped += 1;
    },
  };
  const running = await start({ history });
  for (const count of [1, 2, 3]) {
    await pausedAt(count);
    expect(pauses[count - 1]?.ms).toBe(60_000);
    pauses[count - 1]?.end();
  }
  await pausedAt(4);
  expect(wiped).toBe(3);
  expect(lines).toMatchObject([{ level: "error", event: "kept values", code: "HISTORY_UNAVAILABLE" }]);
  expect(await figuresOf(running)).toMatchObject({ autokestra_kept_values_wipe_failures_total: 1 });
});

it("is not prepared with a recipient that is not valid, and does nothing where nothing is wanted", async () => {
  await expect(createUpkeep({ manager, place, backups: { ...backups(), recipients: ["age1"] } })).rejects.toMatchObject(
    {
      code: "OPTION_INVALID",
    },
  );
  const idle = await createUpkeep({ manager, place });
  idle.start();
  await idle.stop();
  expect(idle.figures).toHaveLength(2);
});

it("shows its figures in the metrics, and leaves out what there is not", async () => {
  const tokens = await openTokens(manager);
  const { token } = await tokens.create({ name: "m", role: "auditor", prefixes: [], tags: [], expiresAt: null });
  const figures = [
    { name: "autokestra_known", help: "Known", read: () => 7 },
    { name: "autokestra_unknown", help: "Unknown", read: () => null },
    { name: "autokestra_broken", help: "Broken", read: async () => await Promise.reject(new Error("broken")) },
  ];
  const app = await createServer({
    secretsFor: (context) => manager.as(context),
    tokens,
    metrics: createMetrics(null, figures),
  });
  const answer = await app.inject({
    url: "/metrics",
    headers: { authorization: `Bearer ${token}`, host: "localhost" },
  });
  await app.close();
  tokens.close();
  expect(answer.body).toMatch(/^autokestra_known 7$/m);
  expect(answer.body).not.toMatch(/^autokestra_(unknown|broken) /m);
});
