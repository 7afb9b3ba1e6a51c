import type { Database } from "@autokestra/sqlite";
import { z } from "zod";
import type { NewTask, TaskRun, TaskRunId } from "./ledger.ts";
import { perDatabase } from "./per-database.ts";
import type { Stop, TaskState, TaskTable } from "./task-states.ts";

/** The time of the database, in milliseconds since 1970. */
export const NOW = "CAST(unixepoch('subsec') * 1000 AS INTEGER)";

/** How long a ready task of a run without an owner waits before it is rung for again, in milliseconds. */
const RING_AGAIN_MS = 15_000;

/** The rules of how many runs stay in memory. */
const RUNS_IN_MEMORY = 16;

const STATES = ["blocked", "ready", "running", "waiting", "success", "failed", "skipped", "cancelled"] as const;

const rulesSchema = z.object({
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

const rulesText = z.string();
const rowSchema = z.object({ number: z.int(), task: z.string(), state: z.enum(STATES) });

interface TaskRow {
  readonly number: number;
  state: TaskState;
}

const statementsOf = perDatabase((database) => ({
  get: database.prepare<[string, string]>("SELECT number, task, state FROM task_runs WHERE run_id = ? AND task = ?"),
  all: database.prepare<[string]>("SELECT number, task, state FROM task_runs WHERE run_id = ? ORDER BY number"),
  rules: database.prepare<[number], string>("SELECT rules FROM task_runs WHERE number = ?").pluck(),
  set: database.prepare<[state: string, state: string, number]>(
    `UPDATE task_runs SET state = ?, worker = NULL, lease_token = NULL, lease_until = NULL,
       due_at = iif(? = 'ready' AND (SELECT token IS NULL FROM run_records WHERE id = run_id), ${NOW} + ${RING_AGAIN_MS}, NULL)
     WHERE number = ?`,
  ),
  dependents: database
    .prepare<[string, string], string>("SELECT task FROM task_needs WHERE run_id = ? AND need = ?")
    .pluck(),
  insert: database.prepare("INSERT INTO task_runs (run_id, task, rules, state) VALUES (?, ?, ?, ?)"),
  need: database.prepare("INSERT OR IGNORE INTO task_needs (run_id, need, task) VALUES (?, ?, ?)"),
  remove: database.prepare("DELETE FROM task_runs WHERE run_id = ?"),
  removeNeeds: database.prepare("DELETE FROM task_needs WHERE run_id = ?"),
  stop: database.prepare<[string], Stop | null>("SELECT stop FROM run_records WHERE id = ?").pluck(),
}));

/** The rules of the tasks of a run, by the numbers of their rows: they never change, and no number is used twice. */
type Rules = Map<number, NewTask>;

/** Those of the runs that were used last. */
const sharedRules = perDatabase(() => new Map<string, Rules>());

/** The tasks of one run in the database, for {@link settle}. Use it within one transaction. */
export class TaskRows implements TaskTable {
  readonly #run: string;
  readonly #statements: ReturnType<typeof statementsOf>;
  readonly #shared: Map<string, Rules>;
  readonly #rows = new Map<string, TaskRow | undefined>();
  #rules: Rules;

  /** @param ended a task whose row was changed in the same transaction: it need not be read again. Default: none */
  constructor(database: Database, run: string, ended?: TaskRow & { readonly task: string }) {
    this.#run = run;
    if (ended !== undefined) this.#rows.set(ended.task, ended);
    this.#statements = statementsOf(database);
    this.#shared = sharedRules(database);
    this.#rules = this.#shared.get(run) ?? new Map();
    this.share();
  }

  /** Replaces all tasks. Returns their ids. {@link share} their rules once they are written. */
  write(tasks: readonly NewTask[], finished: ReadonlyMap<string, TaskState>): string[] {
    const { insert, need, remove, removeNeeds } = this.#statements;
    remove.run(this.#run);
    removeNeeds.run(this.#run);
    this.#rows.clear();
    for (const { id, statusesInIf, ...task } of tasks) {
      const text = JSON.stringify({ ...task, statusesInIf: [...statusesInIf] });
      insert.run(this.#run, id, text, finished.get(id) ?? "blocked");
      for (const needed of task.needs) need.run(this.#run, needed, id);
    }
    const ids = this.ids();
    // A map of its own: what is rolled back gives its numbers to others.
    this.#rules = new Map(tasks.flatMap((task) => this.#rowNumber(task.id).map((number) => [number, task])));
    return ids;
  }

  /** Spares others that work with this run to read its rules again. */
  share(): void {
    this.#shared.delete(this.#run);
    this.#shared.set(this.#run, this.#rules);
    for (const oldest of this.#shared.keys()) {
      if (this.#shared.size <= RUNS_IN_MEMORY) return;
      this.#shared.delete(oldest);
    }
  }

  ids(): string[] {
    return this.#statements.all.all(this.#run).map((found) => {
      const { task, ...row } = rowSchema.parse(found);
      this.#rows.set(task, row);
      return task;
    });
  }

  task(id: string): NewTask | undefined {
    const row = this.#row(id);
    if (row === undefined) return undefined;
    const known = this.#rules.get(row.number);
    if (known !== undefined) return known;
    const text = rulesText.parse(this.#statements.rules.get(row.number));
    const task = { id, ...rulesSchema.parse(JSON.parse(text)) };
    this.#rules.set(row.number, task);
    return task;
  }

  state(id: string): TaskState | undefined {
    return this.#row(id)?.state;
  }

  set(id: string, state: TaskState): void {
    const row = this.#row(id);
    if (row === undefined) return;
    row.state = state;
    this.#statements.set.run(state, state, row.number);
  }

  dependents(id: string): string[] {
    return this.#statements.dependents.all(this.#run, id);
  }

  get stop(): Stop | null {
    return this.#statements.stop.get(this.#run) ?? null;
  }

  taskRunId(id: string): TaskRunId[] {
    return this.#rowNumber(id).map(String);
  }

  #rowNumber(id: string): number[] {
    const row = this.#row(id);
    return row === undefined ? [] : [row.number];
  }

  /** @throws ZodError if the row is damaged */
  #row(id: string): TaskRow | undefined {
    if (this.#rows.has(id)) return this.#rows.get(id);
    const found = this.#statements.get.get(this.#run, id);
    const row = found === undefined ? undefined : rowSchema.parse(found);
    this.#rows.set(id, row);
    return row;
  }
}
