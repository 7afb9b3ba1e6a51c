import type { MaskStream } from "@autokestra/secrets-masker";
import type { PrintingTask, PrintStream } from "./process-output.ts";
import type { HeldOutput } from "./redacting-sink.ts";

/** The length at which output without a line end becomes a line, in characters. */
const LONGEST_LINE = 64 * 1024;

/** Splits the printed output of a task into lines. */
export interface LineLog {
  push(stream: PrintStream, bytes: Uint8Array): void;
  /** Ends an incomplete line. */
  end(): void;
}

/** What happens to the printed output of a task. */
interface TaskPrinterOptions {
  /** Its name in the run. */
  readonly name: string;
  /** True if the output is dropped. */
  readonly isHidden: () => boolean;
  /** What holds the output; undefined if it is not held. */
  readonly held: () => HeldOutput | undefined;
  /** What turns the output into log lines; null if it is printed. */
  readonly lines: () => LineLog | null;
}

/** Creates the handler for what a task prints with `console` and the like. */
export function createTaskOutput({ name, isHidden, held, lines }: TaskPrinterOptions): PrintingTask {
  return {
    name,
    print(stream, bytes, show) {
      if (isHidden()) return true;
      const log = lines();
      const take = log === null ? show : () => log.push(stream, bytes);
      const holder = held();
      if (holder === undefined && log === null) return false;
      if (holder === undefined) take();
      else holder.hold(bytes.length, take);
      return true;
    },
  };
}

/**
 * Creates a splitter that masks before it splits, because a value can be spread over several writes and lines.
 *
 * @param mask opens a masking stream
 * @param log called with each line, masked, without its line end
 */
export function createLineLog(mask: () => MaskStream, log: (stream: PrintStream, line: string) => void): LineLog {
  const open = new Map<PrintStream, OpenLine>();
  return {
    push(stream, bytes) {
      const line = open.get(stream) ?? new OpenLine(mask(), (text) => log(stream, text));
      open.set(stream, line);
      line.push(bytes);
    },
    end() {
      const lines = [...open.values()];
      open.clear();
      for (const line of lines) line.end();
    },
  };
}

class OpenLine {
  readonly #masking: MaskStream;
  readonly #log: (line: string) => void;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";

  constructor(masking: MaskStream, log: (line: string) => void) {
    this.#masking = masking;
    this.#log = log;
  }

  push(bytes: Uint8Array): void {
    this.#add(this.#decoder.decode(this.#masking.push(bytes), { stream: true }));
  }

  end(): void {
    this.#add(this.#decoder.decode(this.#masking.flush()));
    if (this.#text !== "") this.#log(this.#text);
    this.#text = "";
  }

  #add(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) this.#log(line.endsWith("\r") ? line.slice(0, -1) : line);
    if (this.#text.length < LONGEST_LINE) return;
    this.#log(this.#text);
    this.#text = "";
  }
}
