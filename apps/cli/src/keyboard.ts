import { StringDecoder } from "node:string_decoder";
import { isatty } from "node:tty";
import { standardError } from "./output.ts";

/** Terminals that know these say where a paste begins and ends. */
const MARK_PASTES = "\u001b[?2004h";
const LEAVE_PASTES = "\u001b[?2004l";

/** What is sent where nothing comes any more: Ctrl-D. */
const END = "\u0004";

/** Standard input, key by key and without echo, for as long as somebody is asked. */
export interface Keyboard {
  /**
   * What was typed since the last time.
   *
   * @param quietMs null after so many milliseconds without anything. Default: waits
   */
  next(quietMs?: number): Promise<string | null>;
}

/** Opens the keyboard while `use` takes. However that ends, or the process does, the terminal is as it was before. */
export async function withKeyboard<T>(use: (keyboard: Keyboard) => Promise<T>): Promise<T> {
  const input = process.stdin;
  const marksPastes = isatty(2) && process.env["TERM"] !== "dumb";
  const keys = new Keys();
  const close = (): void => {
    process.off("exit", closeAtExit);
    input.off("data", keys.onData).off("end", keys.onEnd).off("error", keys.onEnd);
    if (marksPastes) standardError().write(LEAVE_PASTES);
    input.setRawMode(false);
    input.pause();
  };
  const closeAtExit = (): void => {
    close();
    // What is printed next does not continue the question.
    standardError().write("\n");
  };
  process.on("exit", closeAtExit);
  input.on("data", keys.onData).on("end", keys.onEnd).on("error", keys.onEnd);
  input.setRawMode(true);
  input.resume();
  if (marksPastes) standardError().write(MARK_PASTES);
  try {
    return await use(keys);
  } finally {
    close();
  }
}

class Keys implements Keyboard {
  /** Characters come in parts. */
  readonly #decoder = new StringDecoder("utf8");
  #typed = "";
  #wake: () => void = () => undefined;

  readonly onData = (bytes: Buffer): void => {
    this.#typed += this.#decoder.write(bytes);
    bytes.fill(0);
    this.#wake();
  };

  readonly onEnd = (): void => {
    this.#typed += END;
    this.#wake();
  };

  async next(quietMs?: number): Promise<string | null> {
    if (this.#typed === "") await this.#something(quietMs);
    const typed = this.#typed;
    this.#typed = "";
    return typed === "" ? null : typed;
  }

  async #something(quietMs: number | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      // What came while the process had no turn is read before the last step.
      if (quietMs !== undefined) timer = setTimeout(() => setImmediate(resolve), quietMs);
    });
    clearTimeout(timer);
  }
}
