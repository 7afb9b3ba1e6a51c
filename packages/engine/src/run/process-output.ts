import { AsyncLocalStorage } from "node:async_hooks";
import type { MaskCount } from "@autokestra/secrets-core";
import { createMasker, type Masker, type MaskStream } from "@autokestra/secrets-masker";
import { InterceptedStream, type Route } from "./intercepted-stream.ts";
import { addCounts, type YieldingValue } from "./secret-values.ts";

/** The standard streams of a process. */
export type PrintStream = "stdout" | "stderr";

/** Handles what a task prints. */
export interface PrintingTask {
  /** Its name in the run. */
  readonly name: string;
  /** Takes printed bytes. Returns false if they should go to the stream, masked. */
  print(stream: PrintStream, bytes: Uint8Array, show: () => void): boolean;
}

/** The printed output of one run. */
export interface RunOutput {
  /** Masks these values in it from now on. */
  add(values: readonly YieldingValue[]): void;
  /** Runs code of a task: what it prints, now or later, counts as output of the task. */
  inTask<T>(task: PrintingTask, work: () => T): T;
  /** Runs code that prints masked text, which is written as it is. */
  inSink<T>(work: () => T): T;
  /** Masks the values of all runs in a text. */
  mask(text: string): string;
  /**
   * What was masked for this run so far, by name.
   *
   * @param task only what one of its tasks has printed. Default: everything
   */
  report(task?: string): Record<string, MaskCount>;
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

/** A task, and the label that what it prints is counted for. */
interface LabelledTask {
  readonly task: PrintingTask;
  readonly label: string;
}

const context = new AsyncLocalStorage<LabelledTask | "sink">();

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
  readonly values: YieldingValue[];
  isRunning: boolean;
  /** The counts of earlier maskers, of the run and of its tasks that have printed something. */
  readonly counts: Map<string | undefined, Readonly<Record<string, MaskCount>>>;
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
      mask: () => this.#countingStream(),
      route: (bytes, show) => this.#route(name, bytes, show),
      writer: () => {
        const write = [...this.#runs].findLast((run) => run.write !== undefined)?.write;
        return write === undefined ? undefined : (bytes) => write(name, bytes);
      },
      // A task must not close the streams of the program.
      mayEnd: () => typeof context.getStore() !== "object",
    });
  }

  /** Masks, and counts it for the task that prints. */
  #countingStream(): MaskStream {
    const masker = this.#currentMasker();
    const stream = masker.stream();
    return {
      ...stream,
      push(bytes) {
        const printing = context.getStore();
        return typeof printing === "object"
          ? masker.count(printing.label, () => stream.push(bytes))
          : stream.push(bytes);
      },
      flush: () => stream.flush(),
    };
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
    const run: OpenRun = {
      id,
      values: [],
      placeholder,
      reservesStdout,
      write,
      isRunning: true,
      counts: new Map([[undefined, {}]]),
    };
    this.#runs.add(run);
    return {
      add: (values) => {
        if (!this.#runs.has(run)) return;
        const named = values.map((value) => ({ ...value, name: run.id + value.name }));
        for (const value of named) run.values.push(value);
        this.#masker?.add(named);
      },
      inTask(task, work) {
        if (!run.counts.has(task.name)) run.counts.set(task.name, {});
        return context.run({ task, label: run.id + task.name }, work);
      },
      inSink: (work) => context.run("sink", work),
      mask: (text) => (this.#runs.size > 1 ? this.#currentMasker().mask(text) : text),
      report: (task) => this.#reportOf(run, task),
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
    const printing = context.getStore();
    if (printing === "sink") return "as it is";
    // The caller may reuse its buffer.
    const copy = Uint8Array.from(bytes);
    if (printing?.task.print(name, copy, () => show(copy)) === true) return "taken";
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

  #reportOf({ id, counts }: OpenRun, task?: string): Record<string, MaskCount> {
    const label = task === undefined ? undefined : id + task;
    const own = Object.entries(this.#masker?.report(label) ?? {}).filter(([name]) => name.startsWith(id));
    return addCounts(
      counts.get(task) ?? {},
      Object.fromEntries(own.map(([name, count]) => [name.slice(id.length), count])),
    );
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
    for (const run of this.#runs) {
      for (const task of run.counts.keys()) run.counts.set(task, this.#reportOf(run, task));
    }
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
