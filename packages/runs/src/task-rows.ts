import type { Database, Statement } from "@autokestra/sqlite";
import { z } from "zod";
import type { NewTask, TaskRun, TaskRunId } from "./ledger.ts";
import type { Stop, TaskState, TaskTable } from "./task-states.ts";

/** The time of the database, in milliseconds since 1970. */
export const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/** How long a ready task waits before it is rung for again, in milliseconds. */
const RING_AGAIN_MS = 15_000;

const STATES = ["blocked", "ready", "running", "waiting", "success", "failed", "skipped", "cancelled"] as const;

const rules = z.object({
  needs: z.array(z.string()),
  continueOnError: z.boolean(),
  statusesInIf: z.array(z.string()).transform((names) => new Set(names)),
  maxAttempts: z.number(),
  isRepeatable: z.boolean(),
});

export const taskRun: z.ZodType<TaskRun> = z.object({
  id: z.string(),
  task: z.string(),
  state: z.enum(STATES),
  attempt: z.int(),
});

const rowSchema = z.object({ number: z.int(), state: z.enum(STATES), rules: z.string() });

interface TaskRow {
  readonly number: number;
  readonly task: NewTask;
  state: TaskState;
}

function prepare(database: Database) {
  return {
    get: database.prepare<[string, string]>("SELECT number, state, rules FROM task_runs WHERE run_id = ? AND task = ?"),
    all: database.prepare<[string], string>("SELECT task FROM task_runs WHERE run_id = ? ORDER BY number").pluck(),
    set: database.prepare(
      `UPDATE task_runs SET state = @state, worker = NULL, lease_token = NULL, lease_until = NULL,
         due_at = iif(@state = 'ready', ${NOW} + ${RING_AGAIN_MS}, NULL)
       WHERE number = @number`,
    ),
    dependents: database
      .prepare<[string, string], string>("SELECT task FROM task_needs WHERE run_id = ? AND need = ?")
      .pluck(),
    insert: database.prepare("INSERT INTO task_runs (run_id, task, rules, state) VALUES (?, ?, ?, ?)"),
    need: database.prepare("INSERT OR IGNORE INTO task_needs (run_id, need, task) VALUES (?, ?, ?)"),
    remove: database.prepare("DELETE FROM task_runs WHERE run_id = ?"),
    removeNeeds: database.prepare("DELETE FROM task_needs WHERE run_id = ?"),
    stop: database.prepare<[string], Stop | null>("SELECT stop FROM run_records WHERE id = ?").pluck(),
  } satisfies Record<string, Statement<never[]> | Statement>;
}

const prepared = new WeakMap<Database, ReturnType<typeof prepare>>();

/** The tasks of one run in the database, for {@link settle}. Use it within one transaction. */
export class TaskRows implements TaskTable {
  readonly #run: string;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #rows = new Map<string, TaskRow | undefined>();

  constructor(database: Database, run: string) {
    this.#run = run;
    const known = prepared.get(database) ?? prepare(database);
    prepared.set(database, known);
    this.#statements = known;
  }

  /** Replaces all tasks. */
  write(tasks: readonly NewTask[], finished: ReadonlyMap<string, TaskState>): void {
    const { insert, need, remove, removeNeeds } = this.#statements;
    remove.run(this.#run);
    removeNeeds.run(this.#run);
    this.#rows.clear();
    for (const { id, statusesInIf, ...task } of tasks) {
      const text = JSON.stringify({ ...task, statusesInIf: [...statusesInIf] });
      insert.run(this.#run, id, text, finished.get(id) ?? "blocked");
      for (const needed of task.needs) need.run(this.#run, needed, id);
    }
  }

  ids(): string[] {
    return this.#statements.all.all(this.#run);
  }

  task(id: string): NewTask | undefined {
    return this.#row(id)?.task;
  }

  state(id: string): TaskState | undefined {
    return this.#row(id)?.state;
  }

  set(id: string, state: TaskState): void {
    const row = this.#row(id);
    if (row === undefined) return;
    row.state = state;
    this.#statements.set.run({ number: row.number, state });
  }

  dependents(id: string): string[] {
    return this.#statements.dependents.all(this.#run, id);
  }

  get stop(): Stop | null {
    return this.#statements.stop.get(this.#run) ?? null;
  }

  taskRunId(id: string): TaskRunId[] {
    const row = this.#row(id);
    return row === undefined ? [] : [String(row.number)];
  }

  #row(id: string): TaskRow | undefined {
    if (this.#rows.has(id)) return this.#rows.get(id);
    const found = this.#statements.get.get(this.#run, id);
    const row = found === undefined ? undefined : parseRow(id, found);
    this.#rows.set(id, row);
    return row;
  }
}

/** @throws ZodError if the row is damaged */
function parseRow(id: string, found: unknown): TaskRow {
  const { number, state, rules: text } = rowSchema.parse(found);
  return { number, state, task: { id, ...rules.parse(JSON.parse(text)) } };
}
