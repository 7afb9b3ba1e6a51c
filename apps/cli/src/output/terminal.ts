import { type BigIntStats, constants, fstatSync, openSync, writeSync } from "node:fs";
import { errorCode } from "@autokestra/secrets-core";
import { isEndedBySignal, leaveSignals } from "../exit.ts";

/** What every command is told about how to talk. */
interface TerminalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

/** Standard input, output and error of the command. */
export interface Terminal extends TerminalOptions {
  /** A person sits in front of standard output. */
  readonly outputIsTty: boolean;
  /** A person can be asked. */
  readonly inputIsTty: boolean;
  /** Data, on standard output, as it is. Does not wait for the reader. */
  write(text: string): void;
  /** Bytes of data that the reader has not taken yet. */
  unread(): number;
  /** A line for people, on standard error; not with --quiet. */
  note(text: string): void;
  /** A line on standard error, always. */
  warn(text: string): void;
}

/** @param options --color is already off where NO_COLOR is set */
export function createTerminal(options: TerminalOptions): Terminal {
  const outputIsTty = isTerminal(1);
  const warn = (text: string) => standardError().write(`${text}\n`);
  return {
    ...options,
    color: options.color && outputIsTty,
    outputIsTty,
    get inputIsTty() {
      return isTerminal(0);
    },
    write: (text) => standardOutput().write(text),
    unread: () => standardOutput().unread,
    note: (text) => {
      if (!options.quiet) warn(text);
    },
    warn,
  };
}

/** How much is written before other work gets its turn, in bytes. */
const TURN_BYTES = 1 << 20;

/** /dev/null, where output goes that nobody wants. See `mem(4)`. */
const NULL_DEVICE = process.platform === "linux" ? 0x103n : null;

/** How long the reader is left alone before the next try, in milliseconds; twice as long each time, up to the second. */
const WAITS_MS = [1, 32] as const;

/**
 * Standard output or standard error. Writing never waits: what the reader has not taken yet is held in memory, so that a slow reader
 * or a stopped terminal holds up no timer and no task.
 */
interface Output {
  /** Bytes that are not written yet. */
  readonly unread: number;
  /** Why nothing can be written any more, such as a reader that has gone; null while it can. */
  readonly failure: Error | null;
  /** Is told once when writing fails. What is written afterwards is dropped. */
  onFailure: (error: Error) => void;
  write(data: string | Uint8Array): void;
  /** Resolves once all is written, or cannot be. */
  drained(): Promise<void>;
}

let output: Output | undefined;
let errors: Output | undefined;

/** The one queue of standard output. */
export function standardOutput(): Output {
  output ??= createOutput(1);
  return output;
}

/** The one queue of standard error; that of standard output where both are the same pipe or terminal, which keeps lines whole. */
export function standardError(): Output {
  errors ??= isSameFile(1, 2) ? standardOutput() : createOutput(2);
  return errors;
}

/** @param descriptor is written to as it is where it is a file; a pipe or a terminal without blocking */
function createOutput(descriptor: number): Output {
  const queue = new WriteQueue(withoutBlocking(descriptor));
  process.on("exit", () => queue.end());
  return queue;
}

class WriteQueue implements Output {
  unread = 0;
  failure: Error | null = null;
  onFailure: (error: Error) => void = () => undefined;
  readonly #descriptor: number;
  #chunks: Buffer[] = [];
  /** The chunk that is written next, and where in it. */
  #next = 0;
  #offset = 0;
  #timer: NodeJS.Timeout | undefined;
  #wait: number = WAITS_MS[0];
  #waiting: (() => void)[] = [];
  #isEnding = false;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(data: string | Uint8Array): void {
    if (this.failure !== null || data.length === 0) return;
    const bytes = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
    this.#chunks.push(bytes);
    this.unread += bytes.length;
    if (this.#isEnding) this.end();
    else if (this.#timer === undefined) this.#writeNow();
  }

  async drained(): Promise<void> {
    if (this.unread > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The process ends and no timer will run again: the reader is waited for here. After a signal nobody is waited for. */
  end(): void {
    this.#isEnding = true;
    this.#writeSome();
    if (this.unread === 0 || isEndedBySignal()) return;
    leaveSignals();
    while (this.unread > 0) {
      if (!this.#writeSome()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAITS_MS[1]);
    }
  }

  #writeNow(): void {
    this.#timer = undefined;
    const isTaken = this.#writeSome();
    if (this.unread === 0) return;
    this.#wait = isTaken ? WAITS_MS[0] : Math.min(this.#wait * 2, WAITS_MS[1]);
    this.#timer = setTimeout(() => this.#writeNow(), this.#wait);
  }

  /** Writes what is taken at once, up to one turn. Returns whether anything was. */
  #writeSome(): boolean {
    const before = this.unread;
    try {
      while (this.unread > 0 && before - this.unread < TURN_BYTES) this.#writeChunk();
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") this.#fail(error instanceof Error ? error : new Error("write failed"));
    }
    if (this.unread === 0) this.#forget();
    return this.unread < before;
  }

  #writeChunk(): void {
    const chunk = this.#chunks[this.#next];
    if (chunk === undefined) return;
    const written = writeSync(this.#descriptor, chunk, this.#offset, Math.min(chunk.length - this.#offset, TURN_BYTES));
    this.#offset += written;
    this.unread -= written;
    if (this.#offset < chunk.length) return;
    chunk.fill(0);
    this.#next += 1;
    this.#offset = 0;
    // Not one by one: that would move the whole list each time.
    if (this.#next >= 1024 && this.#next * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#next);
      this.#next = 0;
    }
  }

  #fail(error: Error): void {
    this.failure = error;
    this.unread = 0;
    this.onFailure(error);
  }

  #forget(): void {
    for (const chunk of this.#chunks) chunk.fill(0);
    this.#chunks = [];
    this.#next = 0;
    this.#offset = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/**
 * A descriptor of the same pipe or terminal that says EAGAIN instead of waiting. One of its own where the system gives one: other
 * processes share the one that was inherited.
 */
function withoutBlocking(descriptor: number): number {
  try {
    const stats = statOf(descriptor);
    if (!stats.isFIFO() && !stats.isSocket() && !isTerminal(descriptor)) return descriptor;
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Node makes a pipe or socket non-blocking when its stream is made, and blocking again when the process ends.
    void (descriptor === 2 ? process.stderr : process.stdout);
    return descriptor;
  }
}

/** Whether a person may sit there. The module that knows brings the network with it: it is loaded only for what may be a terminal. */
export function isTerminal(descriptor: number): boolean {
  try {
    const stats = statOf(descriptor);
    return (
      stats.isCharacterDevice() && stats.rdev !== NULL_DEVICE && process.getBuiltinModule("node:tty").isatty(descriptor)
    );
  } catch {
    return false;
  }
}

/**
 * With bigint: the plain form leaves its numbers where `realpathSync` of Node 20 looks next, which then takes a symbolic link that it
 * has met before for a pipe, and finds no package behind it.
 */
function statOf(descriptor: number): BigIntStats {
  return fstatSync(descriptor, { bigint: true });
}

function isSameFile(one: number, other: number): boolean {
  try {
    const [first, second] = [statOf(one), statOf(other)];
    return first.dev === second.dev && first.ino === second.ino;
  } catch {
    return false;
  }
}

/** What plugins print with the streams of Node is not ours: that nobody reads it ends nothing. */
export function ignoreStreamErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}
