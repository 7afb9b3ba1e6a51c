import { AutokestraError, hasCode } from "@autokestra/secrets-core";
import { z } from "zod";
import type { CancelReason, TaskResult } from "./events.ts";
import type { HistoryFile } from "./history-file.ts";
import type { KeptCipher, KeptKeys, StoredKept } from "./kept.ts";
import { type KeptValue, type Lease, type NewTask, OUTCOME_UNKNOWN, type RunId, type RunLedger } from "./ledger.ts";
import type { LeftLease } from "./provenance.ts";

/** What a run keeps of how it began. */
export interface KeptStart {
  /** The absolute path of the workflow file; null for a workflow that was not read from a file. */
  readonly path: string | null;
  /** The texts of the workflow and of those that it calls, by their paths. The first one is its own. */
  readonly texts: Readonly<Record<string, string>>;
  /** The texts of the inputs that were given. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** What a run keeps of a task or an item that has ended. */
export interface KeptResult {
  /** With its whole output, which nothing has masked. */
  readonly result: TaskResult;
  /** Values that had become secret in the run by then, and secret parts of its output. */
  readonly masks: readonly { readonly name: string; readonly value: string }[];
}

/** What a run has kept, readable. */
export interface KeptRun {
  readonly id: RunId;
  readonly attempt: number;
  readonly start: KeptStart;
  /** By the name of the task: `deploy`, `deploy[3]`, `child/deploy`; with the attempt of the run. */
  readonly results: ReadonlyMap<string, KeptResult & { readonly attempt: number }>;
  /** The names of those whose start is recorded, and not their end. */
  readonly open: ReadonlySet<string>;
  /** The tasks that have finished, and whose output was not kept or cannot be decrypted. */
  readonly gone: ReadonlySet<string>;
  /** How many attempts of each task and item have begun. */
  readonly attempts: ReadonlyMap<string, number>;
  /** The credentials that its attempts have left behind; they may have ended since. */
  readonly leases: readonly LeftLease[];
}

/** What {@link DurableRun.begin} records. */
export interface RunBeginning {
  /** The id of the workflow, masked. */
  readonly workflow: string;
  /** The path of its file, masked; null for a workflow that was not read from a file. */
  readonly file: string | null;
  readonly secrets: readonly string[];
  readonly tasks: readonly NewTask[];
  readonly start: KeptStart;
}

/** What a {@link DurableRun} works with. */
export interface DurableRunParts {
  readonly id: RunId;
  readonly ledger: RunLedger;
  readonly history: HistoryFile;
  /** Null where nothing can be kept. */
  readonly cipher: KeptCipher | null;
  /** How long values are kept unless the run has succeeded before, in milliseconds. */
  readonly keepMs: number;
  /** The earlier state to resume from; null for a new run. */
  readonly from: KeptRun | null;
  /** Whether the run may be running on another host. */
  readonly force: boolean;
  /** Whether it begins only if it is still in the queue of this process. Default: false. */
  readonly fromQueue?: boolean | undefined;
  /** Called once, when the run can no longer be recorded. The run continues. */
  readonly onFailure: (error: unknown) => void;
}

const taskResult = z.object({
  status: z.enum(["success", "failed", "skipped", "cancelled"]),
  output: z.unknown().optional(),
  error: z
    .object({ name: z.string(), code: z.string(), message: z.string(), status: z.number().exactOptional() })
    .exactOptional(),
}) satisfies z.ZodType<TaskResult>;

const keptResult: z.ZodType<KeptResult> = z.object({
  result: taskResult,
  masks: z.array(z.object({ name: z.string(), value: z.string() })),
});

const keptStart: z.ZodType<KeptStart> = z.object({
  path: z.string().nullable(),
  texts: z.record(z.string(), z.string()),
  inputs: z.record(z.string(), z.string()),
});

/**
 * Opens what a run has kept.
 *
 * @throws AutokestraError `RUN_NOT_RESUMABLE` if it has kept nothing, or if its key is gone
 */
export async function openKept(id: RunId, stored: StoredKept, keys: KeptKeys | null): Promise<Omit<KeptRun, "leases">> {
  if (stored.hasSucceeded) throw hasSucceeded(id);
  const ciphers = new Map<string, KeptCipher | null>();
  async function open(value: KeptValue): Promise<unknown> {
    if (!ciphers.has(value.keyId)) ciphers.set(value.keyId, (await keys?.forRun(id, value.keyId)) ?? null);
    const text = ciphers.get(value.keyId)?.decrypt(value, value.bytes) ?? null;
    return text === null ? null : JSON.parse(text);
  }
  const own = stored.values.find(({ kind }) => kind === "start");
  const start = own === undefined ? null : keptStart.nullable().parse(await open(own));
  if (start === null) {
    const why =
      own === undefined
        ? "it has kept nothing, or no longer does"
        : "what it has kept does not open: it was changed, or its key is gone";
    throw new AutokestraError("RUN_NOT_RESUMABLE", `Run ${id} cannot go on: ${why}`, {
      details: { reason: "not kept" },
    });
  }
  const results = new Map<string, KeptResult & { readonly attempt: number }>();
  for (const value of stored.values.filter(({ kind }) => kind === "result")) {
    // What cannot be opened is not there: such a task runs again.
    const result = keptResult.nullable().parse(await open(value));
    if (result !== null) results.set(value.task, { ...result, attempt: value.attempt });
  }
  const gone = new Set([...stored.ended].filter((task) => !results.has(task)));
  const { attempt, open: isOpen, attempts } = stored;
  return { id, attempt, start, results, open: isOpen, gone, attempts };
}

/** The error for a run that has nothing left to do. */
export function hasSucceeded(id: RunId): AutokestraError {
  return new AutokestraError("RUN_NOT_RESUMABLE", `Run ${id} has succeeded: there is nothing to resume`, {
    details: { reason: "succeeded" },
  });
}

/**
 * Makes one run of this process durable: its tasks are claimed and ended in the ledger, and what it needs to be resumed is
 * kept. A ledger that cannot be written stops recording, and not the run.
 */
export class DurableRun {
  readonly token: string = crypto.randomUUID();
  /** Called when another process has taken the run over. */
  onTaken: () => void = () => undefined;
  /** Called once when it was cancelled in the ledger. */
  onCancelled: (by: CancelReason) => void = () => undefined;
  readonly #parts: DurableRunParts;
  readonly #attempt: number;
  #ids: ReadonlyMap<string, string> | null = null;
  #begun: Promise<void> = Promise.resolve();
  readonly #leases = new Map<string, Promise<Lease | null>>();
  #isOff = false;
  #isBegun = false;
  #hasEnded = false;
  #isCancelled = false;
  /** Why it has not begun. */
  #refusal: AutokestraError | null = null;
  #unwatch: () => void = () => undefined;

  constructor(parts: DurableRunParts) {
    this.#parts = parts;
    const { from, id } = parts;
    this.#attempt = from !== null && from.id === id ? from.attempt + 1 : 1;
  }

  /** The earlier state to resume from; null for a run from its first task on. */
  get from(): KeptRun | null {
    return this.#parts.from;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** Whether an earlier run is resumed; false for a new run that takes over results of another one. */
  get isResumed(): boolean {
    return this.#attempt > 1;
  }

  /**
   * Adds the run to the ledger, or takes it over.
   *
   * @param finished how the tasks have ended that do not run again
   * @throws AutokestraError as {@link RunLedger.resume}, if it is an earlier run; `RUN_ENDED` if it was cancelled before
   */
  async begin(beginning: RunBeginning, finished: ReadonlyMap<string, "success" | "failed">): Promise<void> {
    const { id, ledger, keepMs, from, force, fromQueue, history } = this.#parts;
    const { start, ...what } = beginning;
    const run = { id, ...what, owner: { token: this.token }, fromQueue };
    if (this.isResumed && from !== null) {
      await ledger.resume({ ...run, finished, after: from.attempt, force });
      await this.#readIds();
      this.#watchOthers();
      return;
    }
    const kept = this.#encrypt("start", "", start);
    const results = [...(from?.results ?? [])].flatMap(
      ([task, { result, masks }]) => this.#encrypt("result", task, { result, masks }) ?? [],
    );
    const created = ledger.createRun({
      ...run,
      finished,
      kept: kept && { values: [kept, ...results], milliseconds: keepMs },
    });
    this.#begun = this.#watch(created.then(async () => await this.#readIds()));
    await history.queue.unlessLocked(this.#begun);
    if (this.#refusal !== null) throw this.#refusal;
    this.#isBegun = true;
    this.#watchOthers();
  }

  /** The run has ended: what others do with it concerns it no more. */
  end(): void {
    this.#hasEnded = true;
    this.#unwatch();
  }

  #watchOthers(): void {
    this.#unwatch = this.#parts.history.changes.add(async () => await this.#look());
  }

  /** Looks whether the run was cancelled or taken over. */
  async #look(): Promise<void> {
    const { ledger, id } = this.#parts;
    await this.#begun;
    const { isHeld, cancelledBy } = await ledger.ownership(id, this.token);
    if (this.#isOff || this.#hasEnded) return;
    if (!isHeld) this.#taken();
    else if (cancelledBy !== null) this.#cancelled(cancelledBy);
  }

  /** Resolves when the start of a task is recorded, unless the ledger is locked for long. */
  async started(task: string): Promise<void> {
    if (this.#isOff) return;
    const claim = this.#claim(task);
    this.#leases.set(task, claim);
    await this.#parts.history.queue.unlessLocked(this.#watch(claim));
  }

  /**
   * Resolves when the end of a task is recorded, unless the ledger is locked for long.
   *
   * @param masked the same result, masked
   * @param kept null if its output must not be kept
   */
  async ended(task: string, masked: TaskResult, kept: KeptResult | null): Promise<void> {
    if (this.#isOff) return;
    const lease = this.#leases.get(task) ?? null;
    this.#leases.delete(task);
    const value = kept === null ? undefined : this.#encrypt("result", task, kept);
    await this.#parts.history.queue.unlessLocked(this.#watch(this.#end(lease, masked, value)));
  }

  /** Records that a task does not run because of its `if`. */
  skipped(task: string): void {
    if (this.#isOff || this.#ids?.has(task) === false) return;
    const skip = async () => {
      const lease = await this.#claim(task);
      if (lease !== null) await this.#end(lease, { status: "skipped" }, undefined);
    };
    void this.#watch(skip());
  }

  async #readIds(): Promise<void> {
    const tasks = await this.#parts.ledger.tasks(this.#parts.id);
    this.#ids = new Map(tasks.map(({ task, id }) => [task, id]));
  }

  /** Null for what has no row of its own: items, tasks of called workflows, `onFailure` and `finally`. */
  async #claim(task: string): Promise<Lease | null> {
    if (this.#ids === null) await this.#begun;
    const id = this.#ids?.get(task);
    if (id === undefined) {
      await this.#keep([]);
      return null;
    }
    const lease = await this.#parts.ledger.claim(id, this.token, Number.POSITIVE_INFINITY);
    if (lease === null) await this.#look();
    return lease;
  }

  async #end(
    lease: Promise<Lease | null> | Lease | null,
    result: TaskResult,
    kept: KeptValue | undefined,
  ): Promise<void> {
    const { ledger } = this.#parts;
    const held = await lease;
    if (held === null) return await this.#keep(kept === undefined ? [] : [kept]);
    const { status, error = OUTCOME_UNKNOWN, ...rest } = result;
    const ended =
      status === "failed"
        ? await ledger.fail(held, error, null, kept)
        : await ledger.finish(held, { status, ...rest }, kept);
    if (ended === null) this.#taken();
  }

  async #keep(values: readonly KeptValue[]): Promise<void> {
    const { ledger, id } = this.#parts;
    if (!(await ledger.keep(id, this.token, values))) this.#taken();
  }

  #encrypt(kind: KeptValue["kind"], task: string, value: KeptStart | KeptResult): KeptValue | undefined {
    const { cipher } = this.#parts;
    if (cipher === null) return undefined;
    const place = { kind, task, attempt: this.#attempt };
    return { ...place, keyId: cipher.keyId, bytes: cipher.encrypt(place, JSON.stringify(value)) };
  }

  #cancelled(by: CancelReason): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.onCancelled(by);
  }

  #taken(): void {
    if (this.#isOff) return;
    this.#isOff = true;
    this.onTaken();
  }

  /** Where the ledger was locked for long, the run is on its way already. */
  #refuse(error: AutokestraError): void {
    this.#refusal = error;
    if (this.#isBegun) this.#cancelled("user");
  }

  /** A failure stops recording. Closing the history waits for what is not written yet. */
  async #watch(work: Promise<unknown>): Promise<void> {
    const { pending } = this.#parts.history;
    pending.add(work);
    try {
      await work;
    } catch (error) {
      if (error instanceof AutokestraError && hasCode(error, "RUN_ENDED")) this.#refuse(error);
      else if (!this.#isOff) this.#parts.onFailure(error);
      this.#isOff = true;
    } finally {
      pending.delete(work);
    }
  }
}
