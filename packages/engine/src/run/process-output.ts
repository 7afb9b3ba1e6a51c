import { AsyncLocalStorage } from "node:async_hooks";
import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, type Masker } from "@autokestra/secrets-masker";
import { InterceptedStream, type Route } from "./intercepted-stream.ts";
import type { MaskedValue } from "./secret-values.ts";
import { addCounts } from "./secret-values.ts";

/** The standard streams of a process. */
export type PrintStream = "stdout" | "stderr";

/** Handles what a task prints. */
export interface PrintingTask {
  /** Takes printed bytes. Returns false if they should go to the stream, masked. */
  print(stream: PrintStream, bytes: Uint8Array, show: () => void): boolean;
}

/** The printed output of one run. */
export interface RunOutput {
  /** Masks these values in it from now on. */
  add(values: readonly MaskedValue[]): void;
  /** Runs code of a task: what it prints, now or later, counts as output of the task. */
  inTask<T>(task: PrintingTask, work: () => T): T;
  /** Runs code that prints masked text, which is written as it is. */
  inSink<T>(work: () => T): T;
  /** Masks the values of all runs in a text. */
  mask(text: string): string;
  /** What was masked for this run so far, by name. */
  report(): Record<string, MaskCount>;
  /** Ends the run: writes what is held back, and forgets its values after a while. */
  close(): void;
}

export interface RunOutputOptions {
  /** How long values stay masked after the run has ended, in seconds. Infinity: until the process ends. */
  readonly keepSeconds: number;
  /** Whether standard output is reserved for events: other text then goes to standard error. */
  readonly reservesStdout: boolean;
  /** What is shown for a secret. If several runs are open, that of the first one is used. Default: `***SECRET***` */
  readonly placeholder?: string | undefined;
  /** Writes masked bytes. If several runs have a writer, the latest is used. Default: the streams themselves. */
  readonly write?: ((stream: PrintStream, bytes: Uint8Array) => void) | undefined;
}

/** The maximum delay of `setTimeout`, in seconds. */
const MAX_SECONDS = 2_147_483;

const context = new AsyncLocalStorage<PrintingTask | "sink">();

/** Masks what the process prints. There is one for the whole process. */
let shared: ProcessOutput | null = null;

/**
 * Masks the values of all open runs in everything that this process prints with `console`, `process.stdout` or
 * `process.stderr`. Copies of `write` that were taken before are not affected.
 */
export function openRunOutput(options: RunOutputOptions): RunOutput {
  shared ??= new ProcessOutput(() => {
    shared = null;
  });
  return shared.open(options);
}

interface OpenRun extends Pick<RunOutputOptions, "placeholder" | "reservesStdout" | "write"> {
  readonly id: string;
  readonly values: MaskedValue[];
  isRunning: boolean;
  /** The counts of earlier maskers. */
  counts: Readonly<Record<string, MaskCount>>;
}

class ProcessOutput {
  readonly #runs = new Set<OpenRun>();
  #streams: Readonly<Record<PrintStream, InterceptedStream>>;
  readonly #onUnused: () => void;
  readonly #flush = () => this.#flushAll();
  /** Created when something is printed, because most runs print nothing. */
  #masker: Masker | null = null;
  /** Whether the masker still knows values that must be forgotten. */
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
      // A task must not close the streams of the program.
      mayEnd: () => typeof context.getStore() !== "object",
    });
  }

  /** Intercepts a stream again if other code has replaced our `write`. */
  #interceptAgain(name: PrintStream): InterceptedStream {
    const stream = this.#streams[name];
    if (stream.isInPlace) return stream;
    stream.flush();
    stream.restore();
    return this.#intercept(name);
  }

  open({ keepSeconds, placeholder, reservesStdout, write }: RunOutputOptions): RunOutput {
    this.#streams = { stdout: this.#interceptAgain("stdout"), stderr: this.#interceptAgain("stderr") };
    this.#count += 1;
    const id = `${this.#count}/`;
    const run: OpenRun = { id, values: [], placeholder, reservesStdout, write, isRunning: true, counts: {} };
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
    // The caller may reuse its buffer.
    const copy = Uint8Array.from(bytes);
    if (task?.print(name, copy, () => show(copy)) === true) return "taken";
    if (name !== "stdout" || ![...this.#runs].some((run) => run.reservesStdout)) return "masked";
    this.#streams.stderr.write(copy);
    return "taken";
  }

  #currentMasker(): Masker {
    const runs = [...this.#runs];
    this.#masker ??= createMasker(
      runs.flatMap(({ values }) => values),
      { placeholder: runs[0]?.placeholder },
    );
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

  /**
   * Replaces the masker, because it cannot forget single values. Called at line starts, so that no value is divided.
   */
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
