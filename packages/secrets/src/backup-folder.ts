import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder, sweepDeadTemporaryFiles } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { openKnownStores } from "@autokestra/secrets-crypto/internal";
import { backUpStore } from "./back-up.ts";
import { toStoreError } from "./drivers.ts";
import { createBackupCipher } from "./encrypted-backup.ts";
import { withLease } from "./lease.ts";
import type { SecretsManager, SecretsOptions } from "./manager.ts";
import { verifyRecords } from "./records.ts";

/** The backups that are made regularly. */
export interface BackupSchedule {
  /** The absolute path of their folder, which is created if needed. Other files in it are left alone. */
  readonly folder: string;
  /** The time from one backup to the next, in milliseconds. */
  readonly everyMs: number;
  /** Public keys of age, `age1…`, to which every backup is encrypted. */
  readonly recipients: readonly string[];
  /** The number of backups that are kept, 1 or more. */
  readonly keep: number;
}

/** A backup in the folder. */
export interface ScheduledBackup {
  readonly path: string;
  /** In milliseconds since 1970. */
  readonly madeAt: number;
  /** The size in bytes. */
  readonly size: number;
}

/** One process at a time makes backups of a store. */
const LEASE = "backup";

/** @throws AutokestraError `OPTION_INVALID` if a recipient is not valid; the message does not contain it */
export async function checkSchedule({ recipients }: BackupSchedule): Promise<void> {
  await createBackupCipher({ recipients });
}

/**
 * Returns the backups of a store that {@link backUpIfDue} has made in a folder, the oldest first. It recognizes them by
 * their names, which contain the id of the store.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` if the folder cannot be read; those of the keys of the store
 */
export async function listBackups(
  { keys, store }: SecretsManager,
  folder: string,
): Promise<readonly ScheduledBackup[]> {
  if ((await store.readHeader()) === null) return [];
  const { storeId } = (await keys.keyring()).header;
  const backups = namesIn(folder).flatMap((name) => {
    const madeAt = parseName(name, storeId);
    const path = join(folder, name);
    const file = madeAt === null ? undefined : lstatSync(path, { throwIfNoEntry: false });
    return madeAt !== null && file?.isFile() === true ? [{ path, madeAt, size: file.size }] : [];
  });
  return backups.toSorted((a, b) => a.madeAt - b.madeAt);
}

function namesIn(folder: string): readonly string[] {
  try {
    makePrivateFolder(folder);
    return readdirSync(folder);
  } catch (error) {
    throw toStoreError(error, folder);
  }
}

function nameOf(storeId: string, madeAt: number): string {
  return `secrets-${storeId}-${new Date(madeAt).toISOString().replaceAll(/\.\d+|[-:]/g, "")}.age`;
}

const NAME = /^secrets-([0-9a-f-]{36})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.age$/;

/** @returns null for a file that is not a backup of this store */
function parseName(name: string, storeId: string): number | null {
  const [, id, year, month, day, hour, minute, second] = NAME.exec(name) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return id === storeId && !Number.isNaN(time) ? time : null;
}

/** Returns when the next backup is due, in milliseconds since 1970. A clock that was set back does not put it off. */
export function nextBackupAt(backups: readonly ScheduledBackup[], { everyMs }: BackupSchedule): number {
  const newest = backups.at(-1)?.madeAt;
  return newest === undefined ? 0 : Math.min(newest, Date.now()) + everyMs;
}

/**
 * Makes an encrypted backup in a folder if the newest one there is old enough, and removes the oldest ones. Of all
 * processes with the store open, only one does it at a time. It is recorded if the audit log is on.
 *
 * A store with a problem is backed up too, but no older backup is removed then.
 *
 * @param options where the store of the manager is
 * @param signal stops it, and nothing is left behind. Default: none
 * @returns null if no backup is due, or if another process makes it
 * @throws AutokestraError those of {@link backUpStore}; `INTEGRITY_FAILED` after the backup of a store with a problem
 */
export async function backUpIfDue(
  manager: SecretsManager,
  options: SecretsOptions,
  schedule: BackupSchedule,
  signal?: AbortSignal,
): Promise<ScheduledBackup | null> {
  const { folder, recipients, keep } = schedule;
  const isDue = async () => Date.now() >= nextBackupAt(await listBackups(manager, folder), schedule);
  if ((await manager.store.readHeader()) === null || !(await isDue())) return null;
  const made = await withLease(manager.store, LEASE, async (lost) => {
    // Another process may have made it before this one got the lease.
    if (!(await isDue())) return null;
    sweepDeadTemporaryFiles(folder);
    const keyring = await manager.keys.keyring();
    const [problem] = (await verifyRecords(manager)).problems;
    const path = join(folder, nameOf(keyring.header.storeId, Date.now()));
    const either = signal === undefined ? lost : AbortSignal.any([signal, lost]);
    const actor = { kind: "system", id: "schedule", address: null } as const;
    await backUpStore({ ...options, actor }, path, { recipients, signal: either });
    if (problem !== undefined) throw backedUpWithProblem(problem);
    const backups = await listBackups(manager, folder);
    const removed = backups.slice(0, -keep).filter((backup) => backup.path !== path);
    for (const backup of removed) rmSync(backup.path, { force: true });
    await openKnownStores(manager.keyFolder).forgetBackups(removed.map((backup) => backup.path));
    return backups.find((backup) => backup.path === path) ?? null;
  });
  return made?.value ?? null;
}

function backedUpWithProblem(problem: string): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", `The store was backed up, but has a problem: ${problem}`, {
    hint: "Older backups are kept until it is repaired.",
  });
}
