import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "@autokestra/test-kit";
import * as age from "age-encryption";
import { afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import {
  type BackupSchedule,
  backUpIfDue,
  checkSchedule,
  listBackups,
  listKeys,
  nextBackupAt,
  openSecretsManager,
  restoreBackup,
  type SecretsManager,
  type SecretsOptions,
} from "../src/index.ts";
import { editStored, readStored } from "./stored-content.ts";

const HOUR = 60 * 60 * 1000;
const NOON = Date.parse("2026-11-30T12:00:00.000Z");

let root: string;
let options: SecretsOptions;
let schedule: BackupSchedule;
let identity: string;
let recipient: string;
let opened: SecretsManager[];

beforeAll(async () => {
  identity = await age.generateIdentity();
  recipient = await age.identityToRecipient(identity);
});
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOON });
  root = temporaryFolder();
  options = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets") };
  schedule = { folder: join(root, "backups"), everyMs: 24 * HOUR, recipients: [recipient], keep: 2 };
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

async function filled(more: Partial<SecretsOptions> = {}): Promise<SecretsManager> {
  const manager = await open(more);
  await manager.secrets.set({ name: "A", type: "apiKey", fields: { value: "one" }, description: "of A" });
  return manager;
}

const later = (hours: number) => vi.setSystemTime(Date.now() + hours * HOUR);
const backUp = async (manager: SecretsManager) => await backUpIfDue(manager, options, schedule);
const times = () =>
  readdirSync(schedule.folder)
    .map((name) => /-(\d{8}T\d{6}Z)\.age$/.exec(name)?.[1] ?? name)
    .toSorted();

it.each(["sqlite", "file"])("are made when it is time, kept in their number, and restored: %s", async (backend) => {
  const manager = await filled({ backend });
  const first = await backUp(manager);
  expect(first).toMatchObject({ madeAt: NOON, size: readFileSync(first?.path ?? "").length });
  expect(await backUp(manager)).toBeNull();
  later(23);
  expect(await backUp(manager)).toBeNull();
  later(1);
  expect((await backUp(manager))?.madeAt).toBe(NOON + 24 * HOUR);
  later(24);
  const last = await backUp(await open());
  expect(times()).toEqual(["20261201T120000Z", "20261202T120000Z"]);
  const restored = { env: options.env, storagePath: join(root, "restored") };
  expect(await restoreBackup(restored, last?.path ?? "", { identities: [identity] })).toMatchObject({ secrets: 1 });
  expect(readStored(join(root, "restored")).secrets).toEqual(readStored(join(root, "secrets")).secrets);
  const listed = (await listKeys({ env: options.env })).keys.flatMap(({ backups }) => backups.map(({ path }) => path));
  expect(listed).toHaveLength(2);
  expect(listed).not.toContain(first?.path);
});

it("leave other files in the folder alone, also those of another store and what only looks like one", async () => {
  const manager = await filled();
  const { storeId } = (await manager.keys.keyring()).header;
  const others = [
    `secrets-${storeId.replace(/^./, (first) => (first === "0" ? "1" : "0"))}-20200101T000000Z.age`,
    `secrets-${storeId}-20200101T000000Z.age.copy`,
    `secrets-${storeId}-20209901T000000Z.age`,
    "notes.txt",
  ];
  mkdirSync(join(schedule.folder, `secrets-${storeId}-20200101T000000Z.age`), { recursive: true });
  for (const name of others) writeFileSync(join(schedule.folder, name), "mine");
  for (let day = 0; day < 4; day++) {
    await backUp(manager);
    later(24);
  }
  expect(await listBackups(manager, schedule.folder)).toHaveLength(2);
  expect(readdirSync(schedule.folder)).toHaveLength(others.length + 3);
});

it("go on from the newest one, and a clock that was set back neither stops nor removes one", async () => {
  const manager = await filled();
  later(100);
  await backUp(manager);
  vi.setSystemTime(NOON);
  expect(nextBackupAt(await listBackups(manager, schedule.folder), schedule)).toBe(NOON + 24 * HOUR);
  later(24);
  expect(await backUp(manager)).toBeNull();
  expect(nextBackupAt([{ path: "", madeAt: NOON, size: 1 }], schedule)).toBe(NOON + 24 * HOUR);
  expect(nextBackupAt([], schedule)).toBe(0);
});

it("are made by one of many at a time", async () => {
  const manager = await filled();
  const made = await Promise.all([manager, await open(), await open()].map(backUp));
  expect([made.filter((one) => one !== null).length, times()]).toEqual([1, ["20261130T120000Z"]]);
});

it("are not made of no store, and not into its folder", async () => {
  expect(await backUp(await open())).toBeNull();
  const inside = { ...schedule, folder: join(root, "secrets") };
  await expect(backUpIfDue(await filled(), options, inside)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  writeFileSync(join(root, "a file"), "");
  const nowhere = { ...schedule, folder: join(root, "a file") };
  await expect(backUpIfDue(await filled(), options, nowhere)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

it("of a store with a problem are made, told, and remove none of those before", async () => {
  const manager = await filled();
  for (let day = 0; day < 2; day++) {
    await backUp(manager);
    later(24);
  }
  editStored(join(root, "secrets"), ({ secrets }) => {
    for (const { current } of secrets) current.description = "forged";
  });
  await expect(backUp(manager)).rejects.toMatchObject({
    code: "INTEGRITY_FAILED",
    message: expect.stringContaining("The store was backed up, but has a problem"),
  });
  expect(times()).toHaveLength(3);
});

it("leave nothing where they are stopped, and the next one removes what a killed process has left", async () => {
  const manager = await filled();
  const stopped = backUpIfDue(manager, options, schedule, AbortSignal.abort());
  await expect(stopped).rejects.toMatchObject({ name: "AbortError" });
  expect(readdirSync(schedule.folder)).toEqual([]);
  const left = `secrets-x.age.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`;
  writeFileSync(join(schedule.folder, left), "half");
  await backUp(manager);
  expect(existsSync(join(schedule.folder, left))).toBe(false);
});

it("are recorded", async () => {
  const audited = { ...options, audit: true };
  const manager = await filled({ audit: true });
  await backUpIfDue(manager, audited, schedule);
  const records: unknown[] = [];
  for await (const { actor, outcome } of manager.audit?.records({ action: "backup" }) ?? []) {
    records.push([actor.kind, actor.id, outcome]);
  }
  expect(records).toEqual(["intent", "done"].map((outcome) => ["system", "schedule", outcome]));
});

it("need recipients that are valid", async () => {
  await checkSchedule(schedule);
  await expect(checkSchedule({ ...schedule, recipients: ["age1"] })).rejects.toMatchObject({ code: "OPTION_INVALID" });
});
