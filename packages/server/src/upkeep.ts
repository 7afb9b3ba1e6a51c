import { setTimeout } from "node:timers/promises";
import {
  type BackupSchedule,
  backUpIfDue,
  checkSchedule,
  listBackups,
  nextBackupAt,
  readKeyDates,
  renewDataKey,
  type ScheduledBackup,
  type SecretsManager,
  type SecretsOptions,
} from "@autokestra/secrets";
import { AutokestraError } from "@autokestra/secrets-core";
import type { Figure } from "./metrics.ts";

/** A history of runs, for what it keeps of them. */
interface KeptValues {
  wipeExpired(): Promise<void>;
}

/** What is done regularly while a server runs. */
export interface UpkeepOptions {
  readonly manager: SecretsManager;
  /** Where the store of the manager is. */
  readonly place: SecretsOptions;
  /** Default: no backups. */
  readonly backups?: BackupSchedule | undefined;
  /** The age at which the data key is replaced, in milliseconds. Default: it stays. */
  readonly rotateDataKeyEveryMs?: number | undefined;
  /** Where runs keep what they need to be resumed. Default: there are no runs. */
  readonly history?: KeptValues | undefined;
  /** Gets a line of JSON for each backup and each new data key, and for each failure. Default: nothing. */
  readonly log?: { write(line: string): void } | undefined;
}

export interface Upkeep {
  /** For the metrics of the server. */
  readonly figures: readonly Figure[];
  /** Begins. Call it once the server answers. */
  start(): void;
  /** Stops the current work; the next start continues it. */
  stop(): Promise<void>;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A fraction of what is possible, so that requests do not wait. */
const SECRETS_PER_SECOND = 500;

/** One kind of regular work. */
interface Task {
  readonly event: "backup" | "data key" | "kept values";
  /** Does what is due. Returns how long to wait until it is called again, in milliseconds. */
  run(signal: AbortSignal): Promise<number>;
  failures: number;
}

/**
 * Prepares what a server does regularly: backups, new data keys, and the end of what runs have kept. A failure is logged and counted, stops
 * nothing, and is tried again, first after a minute and at the latest after an hour.
 *
 * @param wait for tests: waits this many milliseconds, or until the signal is aborted
 * @throws AutokestraError `OPTION_INVALID` for a recipient that is not valid
 */
export async function createUpkeep(options: UpkeepOptions, wait: Wait = sleep): Promise<Upkeep> {
  const { manager, backups, rotateDataKeyEveryMs, history, log } = options;
  const stopping = new AbortController();
  const tasks: Task[] = [];
  const figures: Figure[] = keyFigures(manager);
  const tell = (line: object) => log?.write(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`);

  if (backups !== undefined) {
    await checkSchedule(backups);
    const task = backupTask(options, backups, tell);
    tasks.push(task);
    figures.push(...task.figures);
  }
  if (rotateDataKeyEveryMs !== undefined) {
    const task = dataKeyTask(manager, rotateDataKeyEveryMs, tell);
    tasks.push(task);
    figures.push(failuresOf(task, "autokestra_data_key_renewal_failures_total", "Data keys that could not be renewed"));
  }
  if (history !== undefined) {
    const task = keptValuesTask(history);
    tasks.push(task);
    figures.push(failuresOf(task, "autokestra_kept_values_wipe_failures_total", "Kept values that could not be wiped"));
  }

  async function repeat(task: Task): Promise<void> {
    let failedInARow = 0;
    while (!stopping.signal.aborted) {
      const pause = await attempt(task, failedInARow);
      failedInARow = pause.hasFailed ? failedInARow + 1 : 0;
      await wait(pause.ms, stopping.signal);
    }
  }

  async function attempt(task: Task, failedInARow: number): Promise<{ ms: number; hasFailed: boolean }> {
    try {
      return { ms: Math.min(HOUR, await task.run(stopping.signal)), hasFailed: false };
    } catch (error) {
      if (!stopping.signal.aborted) {
        task.failures++;
        tell({ level: "error", event: task.event, ...describe(error) });
      }
      return { ms: Math.min(HOUR, MINUTE * 2 ** failedInARow), hasFailed: true };
    }
  }

  let running: Promise<unknown> = Promise.resolve();
  return {
    figures,
    start() {
      running = Promise.all(tasks.map(repeat));
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

type Wait = (ms: number, signal: AbortSignal) => Promise<void>;

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** The message of an error that is not ours can hold anything. */
function describe(error: unknown): object {
  if (error instanceof AutokestraError) return { code: error.code, message: error.message };
  return { code: "INTERNAL", message: error instanceof Error ? error.name : typeof error };
}

type Tell = (line: object) => void;

function backupTask(
  { manager, place }: UpkeepOptions,
  schedule: BackupSchedule,
  tell: Tell,
): Task & { readonly figures: readonly Figure[] } {
  let newest: ScheduledBackup | undefined;
  const look = async () => {
    const backups = await listBackups(manager, schedule.folder);
    newest = backups.at(-1);
    return backups;
  };
  const task: Task = {
    event: "backup",
    failures: 0,
    async run(signal) {
      // First, so that what an earlier process has made is known even if this backup fails.
      await look();
      const made = await backUpIfDue(manager, place, schedule, signal);
      if (made !== null) tell({ level: "info", event: "backup", file: made.path, bytes: made.size });
      const pause = nextBackupAt(await look(), schedule) - Date.now();
      // It is due and was not made: another process does it.
      return pause > 0 ? pause : MINUTE;
    },
  };
  const seconds = () => (newest === undefined ? null : newest.madeAt / 1000);
  const figures: readonly Figure[] = [
    {
      name: "autokestra_backup_last_success_timestamp_seconds",
      help: "When the newest backup was made",
      read: seconds,
    },
    { name: "autokestra_backup_last_size_bytes", help: "Size of the newest backup", read: () => newest?.size ?? null },
    failuresOf(task, "autokestra_backup_failures_total", "Backups that failed, or that are of a store with a problem"),
  ];
  return Object.assign(task, { figures });
}

function dataKeyTask(manager: SecretsManager, maxAgeMs: number, tell: Tell): Task {
  return {
    event: "data key",
    failures: 0,
    async run(signal) {
      const isDone = await renewDataKey(manager, { maxAgeMs, secretsPerSecond: SECRETS_PER_SECOND, signal });
      if (isDone) tell({ level: "info", event: "data key", message: "The data key was renewed" });
      return MINUTE;
    },
  };
}

function keptValuesTask(history: KeptValues): Task {
  return {
    event: "kept values",
    failures: 0,
    async run() {
      await history.wipeExpired();
      return MINUTE;
    },
  };
}

function failuresOf(task: Task, name: string, help: string): Figure {
  return { name, help, read: () => task.failures };
}

function keyFigures(manager: SecretsManager): Figure[] {
  const dateOf = (key: "masterKey" | "dataKey") => async () => {
    const date = (await readKeyDates(manager))?.[key];
    return date === undefined ? null : Date.parse(date) / 1000;
  };
  return [
    {
      name: "autokestra_master_key_created_timestamp_seconds",
      help: "Since when the master key of the store is in use",
      read: dateOf("masterKey"),
    },
    {
      name: "autokestra_data_key_created_timestamp_seconds",
      help: "Since when the data key of the store is in use",
      read: dateOf("dataKey"),
    },
  ];
}
