import { AsyncLocalStorage } from "node:async_hooks";
import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, type Masker } from "@autokestra/secrets-masker";
import { InterceptedStream, type Route } from "./intercepted-stream.ts";
import type { MaskedValue } from "./secret-values.ts";
import { addCounts } from "./secret-values.ts";

/** Where a process prints. */
export type PrintStream = "stdout" | "stderr";

/** A task, while something is printed in it. */
export interface PrintingTask {
  /** Takes what it prints. False: it goes to the stream, masked. */
  print(stream: PrintStream, bytes: Uint8Array, show: () => void): boolean;
}

/** The share that one run has in what the process prints. */
export interface RunOutput {
  /** From now on these values are masked in it. */
  add(values: readonly MaskedValue[]): void;
  /** Does work of this task: what is printed in it, now or later, is the task's. */
  inTask<T>(task: PrintingTask, work: () => T): T;
  /** Does work that prints what is masked already: it is written as it is. */
  inSink<T>(work: () => T): T;
  /** The text with the values of all runs replaced. */
  mask(text: string): string;
  /** What of this run was masked so far, by name. */
  report(): Record<string, MaskCount>;
  /** The run has ended: what is held back comes out, and its values are forgotten after a time. */
  close(): void;
}

export interface RunOutputOptions {
  /** How long the values are masked after the run has ended. Infinity: until the process ends. */
  readonly keepSeconds: number;
  /** True where standard output has a form that text of no task would break: such text goes to standard error. */
  readonly reservesStdout: boolean;
  /** Writes masked bytes. Of several runs that have one, the latest counts. Default: the streams themselves. */
  readonly write?: ((stream: PrintStream, bytes: Uint8Array) => void) | undefined;
}

/** What `setTimeout` can wait for at most. */
const MAX_SECONDS = 2_147_483;

const context = new AsyncLocalStorage<PrintingTask | "sink">();

/** The runs whose values are masked in what the process prints, and what masks them: one for the whole process. */
let shared: ProcessOutput | null = null;

/**
 * From now on everything that code of this process prints with `console`, `process.stdout` or `process.stderr` passes a masker with
 * the values of all open runs. Nobody's own copy of `write`, taken before, is touched.
 */
export function openRunOutput(options: RunOutputOptions): RunOutput {
  shared ??= new ProcessOutput(() => {
    shared = null;
  });
  return shared.open(options);
}

interface OpenRun extends Pick<RunOutputOptions, "reservesStdout" | "write"> {
  readonly id: string;
  readonly values: MaskedValue[];
  isRunning: boolean;
  /** What maskers before this one have counted. */
  counts: Readonly<Record<string, MaskCount>>;
}

class ProcessOutput {
  readonly #runs = new Set<OpenRun>();
  #streams: Readonly<Record<PrintStream, InterceptedStream>>;
  readonly #onUnused: () => void;
  readonly #flush = () => this.#flushAll();
  /** Made when something is printed: most runs print nothing. */
  #masker: Masker | null = null;
  /** It knows values of runs that are to be forgotten. */
  #isStale = false;
  #count = 0;

  constructor(onUnused: () => void) {
    this.#onUnused = onUnused;
    this.#streams = { stdout: this.#intercept("stdout"), stderr: this.#intercept("stderr") };
    process.on("exit", this.#flush);
  }

  #intercept(name: PrintStream): InterceptedStream {
    return new InterceptedStream(process[name], {
      mask: () => this.#currentMasker().stream(),
      route: (bytes, show) => this.#route(name, bytes, show),
      writer: () => {
        const write = [...this.#runs].findLast((run) => run.write !== undefined)?.write;
        return write === undefined ? undefined : (bytes) => write(name, bytes);
      },
      // A task does not close what the program prints to.
      mayEnd: () => typeof context.getStore() !== "object",
    });
  }

  /** Somebody may have put a `write` of his own in the place of ours. */
  #interceptAgain(name: PrintStream): InterceptedStream {
    const stream = this.#streams[name];
    if (stream.isInPlace) return stream;
    stream.flush();
    stream.restore();
    return this.#intercept(name);
  }

  open({ keepSeconds, reservesStdout, write }: RunOutputOptions): RunOutput {
    this.#streams = { stdout: this.#interceptAgain("stdout"), stderr: this.#interceptAgain("stderr") };
    this.#count += 1;
    const run: OpenRun = { id: `${this.#count}/`, values: [], reservesStdout, write, isRunning: true, counts: {} };
    this.#runs.add(run);
    return {
      add: (values) => {
        if (!this.#runs.has(run)) return;
        const named = values.map(({ name, value }) => ({ name: run.id + name, value }));
        for (const value of named) run.values.push(value);
        this.#masker?.add(named);
      },
      inTask: (task, work) => context.run(task, work),
      inSink: (work) => context.run("sink", work),
      mask: (text) => (this.#runs.size > 1 ? this.#currentMasker().mask(text) : text),
      report: () => this.#reportOf(run),
      close: () => {
        if (!run.isRunning) return;
        run.isRunning = false;
        if (![...this.#runs].some((other) => other.isRunning)) this.#flushAll();
        if (keepSeconds <= MAX_SECONDS) setTimeout(() => this.#forget(run), keepSeconds * 1000).unref();
      },
    };
  }

  #route(name: PrintStream, bytes: Uint8Array, show: (bytes: Uint8Array) => void): Route {
    if (this.#isStale && this.#isAtLineStart()) this.#rebuild();
    const task = context.getStore();
    if (task === "sink") return "as it is";
    // The caller may use its bytes again.
    const copy = Uint8Array.from(bytes);
    if (task?.print(name, copy, () => show(copy)) === true) return "taken";
    if (name !== "stdout" || ![...this.#runs].some((run) => run.reservesStdout)) return "masked";
    this.#streams.stderr.write(copy);
    return "taken";
  }

  #currentMasker(): Masker {
    this.#masker ??= createMasker([...this.#runs].flatMap((run) => run.values));
    return this.#masker;
  }

  #reportOf({ id, counts }: OpenRun): Record<string, MaskCount> {
    const own = Object.entries(this.#masker?.report() ?? {}).filter(([name]) => name.startsWith(id));
    return addCounts(counts, Object.fromEntries(own.map(([name, count]) => [name.slice(id.length), count])));
  }

  #forget(run: OpenRun): void {
    this.#runs.delete(run);
    run.values.length = 0;
    if (this.#runs.size > 0) {
      this.#isStale = true;
      if (this.#isAtLineStart()) this.#rebuild();
      return;
    }
    this.#rebuild();
    for (const stream of Object.values(this.#streams)) stream.restore();
    process.off("exit", this.#flush);
    this.#onUnused();
  }

  /** The masker cannot forget some of its values: it is made anew, where nothing is cut in two by that. */
  #rebuild(): void {
    this.#isStale = false;
    this.#flushAll();
    for (const run of this.#runs) run.counts = this.#reportOf(run);
    this.#masker?.dispose();
    this.#masker = null;
  }

  #isAtLineStart(): boolean {
    return Object.values(this.#streams).every((stream) => stream.isAtLineStart);
  }

  #flushAll(): void {
    for (const stream of Object.values(this.#streams)) stream.flush();
  }
}
