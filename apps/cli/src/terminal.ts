import { isatty } from "node:tty";
import { standardError, standardOutput } from "./output.ts";

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
  const outputIsTty = isatty(1);
  const warn = (text: string) => standardError().write(`${text}\n`);
  return {
    ...options,
    color: options.color && outputIsTty,
    outputIsTty,
    inputIsTty: isatty(0),
    write: (text) => standardOutput().write(text),
    unread: () => standardOutput().unread,
    note: (text) => {
      if (!options.quiet) warn(text);
    },
    warn,
  };
}
