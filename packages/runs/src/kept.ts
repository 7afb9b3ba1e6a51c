import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import type { KeptValue, RunId } from "./ledger.ts";
import { perDatabase } from "./per-database.ts";
import { NOW } from "./task-rows.ts";

/** What a kept value is bound to besides its run. `queued`: what a run that has not begun is started with. */
export type KeptPlace = Pick<KeptValue, "task" | "attempt"> & { readonly kind: KeptValue["kind"] | "queued" };

/** Encrypts what one run keeps, under a key of that run. This package does no cryptography. */
export interface KeptCipher {
  /** Names the key. */
  readonly keyId: string;
  encrypt(place: KeptPlace, text: string): Uint8Array;
  /** Null if it is not exactly what was encrypted for this place. */
  decrypt(place: KeptPlace, bytes: Uint8Array): string | null;
}

/** Gives the ciphers of runs. */
export interface KeptKeys {
  /**
   * @param keyId the name of the key of what was kept. Default: the key for new values
   * @returns null if there is no such key
   */
  forRun(run: RunId, keyId?: string): Promise<KeptCipher | null>;
}

/** What a run has kept, still encrypted, and what is known of it without a key. */
export interface StoredKept {
  /** The attempt of the run that is recorded. */
  readonly attempt: number;
  readonly values: readonly KeptValue[];
  /** The names of the tasks and items that have started, and whose end is not recorded. */
  readonly open: ReadonlySet<string>;
  /** The names of those whose start and end are recorded. */
  readonly ended: ReadonlySet<string>;
  /** How many attempts of each have begun, by the record. */
  readonly attempts: ReadonlyMap<string, number>;
  readonly hasSucceeded: boolean;
}

const INSERT = `
  INSERT OR REPLACE INTO kept (run_id, kind, task, attempt, key_id, value) VALUES (?, ?, ?, ?, ?, ?)
`;
const VALUES = `
  SELECT kind, task, attempt, key_id AS keyId, value AS bytes FROM kept
  WHERE run_id = ? AND EXISTS (SELECT 1 FROM run_records WHERE id = run_id AND kept_until > ${NOW})
`;
const ATTEMPTS_AND_ENDS = `
  SELECT event ->> '$.event' AS event, event ->> '$.task' AS task FROM run_events
  WHERE run_id = ? AND event ->> '$.event' IN ('task.started', 'task.retried', 'task.finished') ORDER BY position
`;
const EXPIRED = `
  FROM kept WHERE run_id IN (SELECT id FROM run_records WHERE kept_until IS NOT NULL AND kept_until <= ${NOW})
`;

const valueSchema = z.object({
  kind: z.enum(["start", "result"]),
  task: z.string(),
  attempt: z.int(),
  keyId: z.string(),
  bytes: z.instanceof(Uint8Array),
});
const recordSchema = z.object({ attempt: z.int(), status: z.string() });
const eventSchema = z.object({ event: z.enum(["task.started", "task.retried", "task.finished"]), task: z.string() });

const insertOf = perDatabase((database) => database.prepare(INSERT));

export function insertKept(database: Database, run: RunId, { kind, task, attempt, keyId, bytes }: KeptValue): void {
  insertOf(database).run(run, kind, task, attempt, keyId, bytes);
}

/** Use it within one transaction. @returns null if there is no such run */
export function readKept(database: Database, run: RunId): StoredKept | null {
  const record = database.prepare<[string]>("SELECT attempt, status FROM run_records WHERE id = ?").get(run);
  if (record === undefined) return null;
  const { attempt, status } = recordSchema.parse(record);
  const values = database.prepare<[string]>(VALUES).all(run);
  const open = new Set<string>();
  const ended = new Set<string>();
  const attempts = new Map<string, number>();
  for (const found of database.prepare<[string]>(ATTEMPTS_AND_ENDS).all(run)) {
    const { event, task } = eventSchema.parse(found);
    if (event !== "task.finished") attempts.set(task, (attempts.get(task) ?? 0) + 1);
    if (event === "task.retried") continue;
    if (event === "task.started") {
      open.add(task);
      ended.delete(task);
    } else if (open.delete(task)) ended.add(task);
  }
  return {
    attempt,
    values: values.map((value) => valueSchema.parse(value)),
    open,
    ended,
    attempts,
    hasSucceeded: status === "success",
  };
}

/** Overwrites what a run has kept. Returns whether there was anything. */
export function wipeKept(database: Database, run: RunId): boolean {
  return database.prepare("DELETE FROM kept WHERE run_id = ?").run(run).changes > 0;
}

/** Whether runs have kept something for longer than they may. */
export function hasExpired(database: Database): boolean {
  return database.prepare(`SELECT 1 ${EXPIRED} LIMIT 1`).get() !== undefined;
}

/** Overwrites it. */
export function wipeExpired(database: Database): void {
  database.prepare(`DELETE ${EXPIRED}`).run();
}
