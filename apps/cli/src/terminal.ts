import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { errorCode } from "@autokestra/secrets-core";

/** What every command is told about how to talk. */
export interface TerminalOptions {
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
  /** Data, on standard output, as it is. */
  write(text: string): void;
  /** A line for people, on standard error; not with --quiet. */
  note(text: string): void;
  /** A line on standard error, always. */
  warn(text: string): void;
}

/** @param options --color is already off where NO_COLOR is set */
export function createTerminal(options: TerminalOptions): Terminal {
  const outputIsTty = isatty(1);
  return {
    ...options,
    color: options.color && outputIsTty,
    outputIsTty,
    inputIsTty: isatty(0),
    write: (text) => writeAll(1, text),
    note: (text) => {
      if (!options.quiet) writeAll(2, `${text}\n`);
    },
    warn: (text) => writeAll(2, `${text}\n`),
  };
}

/** Written before the next statement runs, so that nothing is lost when the process ends. */
function writeAll(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = errorCode(error);
      // Nobody reads what it says beside its data: no reason not to go on.
      if (descriptor === 2 && code !== "EAGAIN") return;
      // The reader has gone (`| head -1`): there is nobody left to tell.
      if (code === "EPIPE") process.exit(0);
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  bytes.fill(0);
}
