import { type BigIntStats, constants, fstatSync, openSync, writeSync } from "node:fs";
import { errorCode } from "@autokestra/secrets-core/internal";
import { isEndedBySignal, leaveSignals } from "../exit.ts";

/** How a command prints. */
interface TerminalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
}

/** Standard input, output and error of the command. */
export interface Terminal extends TerminalOptions {
  /** Whether standard output is a terminal. */
  readonly outputIsTty: boolean;
  /** Whether standard input is a terminal, so that a person can be asked. */
  readonly inputIsTty: boolean;
  /** Writes data to standard output, unchanged. It does not wait for the reader. */
  write(text: string): void;
  /** The number of bytes that the reader has not taken yet. */
  unread(): number;
  /** Writes a line for people to standard error, except with --quiet. */
  note(text: string): void;
  /** Writes a line to standard error, also with --quiet. */
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

/** Prints what a library tells as notes. */
export function noticesTo(terminal: Pick<Terminal, "note">): (text: string) => void {
  return (text) => terminal.note(`note: ${text}`);
}

/** The amount to write before other work gets its turn, in bytes. */
const TURN_BYTES = 1 << 20;

/** The device number of /dev/null, a character device that is not a terminal. See `mem(4)`. */
const NULL_DEVICE = process.platform === "linux" ? 0x103n : null;

/** The first and the longest wait before the next try to write, in milliseconds. It doubles each time. */
const WAITS_MS = [1, 32] as const;

/**
 * Standard output or standard error. Writing never waits: unread bytes are held in memory, so that a slow reader or a
 * stopped terminal delays no timer and no task.
 */
interface Output {
  /** The number of bytes that are not written yet. */
  readonly unread: number;
  /** Why writing failed, such as a closed pipe; null while it works. */
  readonly failure: Error | null;
  /** Called once when writing fails. Later output is dropped. */
  onFailure: (error: Error) => void;
  write(data: string | Uint8Array): void;
  /** Resolves when everything is written or writing has failed. */
  drained(): Promise<void>;
}

let output: Output | undefined;
let errors: Output | undefined;

/** The one queue of standard output. */
export function standardOutput(): Output {
  output ??= createOutput(1);
  return output;
}

/**
 * The one queue of standard error. It is that of standard output if both are the same file, which keeps lines whole.
 */
export function standardError(): Output {
  errors ??= isSameFile(1, 2) ? standardOutput() : createOutput(2);
  return errors;
}

/** @param descriptor a file is written to directly, a pipe or a terminal without blocking */
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
  /** The next chunk to write, and the offset in it. */
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

  /** Called when the process ends and no timer runs any longer. Waits for the reader, except after a signal. */
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

  /** Writes what the reader takes at once, up to one turn. Returns whether it took anything. */
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
    // Removed in blocks, because each removal moves the whole list.
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
 * Returns a descriptor of the same pipe or terminal that fails with EAGAIN instead of waiting. If possible it is opened
 * anew, because other processes share the inherited one.
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

/**
 * Tells whether a descriptor is a terminal. `node:tty` loads the network modules, so it is loaded only for character
 * devices.
 */
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
 * Uses bigint, because the plain form writes to a buffer that `realpathSync` of Node 20 reads next. It would then take
 * a known symbolic link for a pipe and not find the package behind it.
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

/** Ignores errors of the streams of Node, to which only plugins write: a closed pipe must not end the run. */
export function ignoreStreamErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
}
