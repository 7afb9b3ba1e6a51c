import { StringDecoder } from "node:string_decoder";
import { AutokestraError } from "@autokestra/secrets-core";
import measure from "fast-string-truncated-width";
import { EXIT } from "../exit.ts";
import { isTerminal, standardError } from "../output/terminal.ts";
import { describeSize } from "../output/value-shape.ts";
import { TypedText } from "./typed-text.ts";

/** How long to wait for more input after a line break, typed alone or pasted with other text, in milliseconds. */
const QUIET_MS = { typed: 50, pasted: 300 } as const;

const DEFAULT_COLUMNS = 80;

/** The minimum room for the text after its prompt, in columns. */
const TEXT_COLUMNS = 8;

export interface Question {
  /** The prompt, without a colon at the end. */
  readonly message: string;
  /** Whether the typed text is shown. */
  readonly isShown: boolean;
}

/**
 * Asks for values, one after another. Standard input must be a terminal. Ctrl-C and Ctrl-D end the process.
 *
 * @throws AutokestraError `VALUE_INVALID` if several lines were pasted and not confirmed
 */
export async function ask(questions: readonly Question[]): Promise<readonly string[]> {
  return await withKeyboard(async (keyboard) => {
    const answers: string[] = [];
    for (const question of questions) {
      const answer = await readAnswer(keyboard, question);
      if (answer.includes("\n")) await confirmLines(keyboard, answer);
      answers.push(answer);
    }
    return answers;
  });
}

/** Asks for one value, without showing it. */
export async function askSecret(message: string): Promise<string> {
  const [answer = ""] = await ask([{ message, isShown: false }]);
  return answer;
}

/** Asks a yes-or-no question. Enter means no. */
export async function confirmOrExit(message: string): Promise<boolean> {
  const answer = await withKeyboard(
    async (keyboard) => await readAnswer(keyboard, { message: `${message} (y/N)`, isShown: true }),
  );
  return isYes(answer);
}

/**
 * Asks whether to take all pasted lines. It asks again after an empty answer, which may be a line break of the paste.
 */
async function confirmLines(keyboard: Keyboard, text: string): Promise<void> {
  const message = `${describeSize(text)} were pasted. Take them as one value? (y/n)`;
  let answer = "";
  while (answer === "") answer = await readAnswer(keyboard, { message, isShown: true });
  if (isYes(answer)) return;
  throw new AutokestraError("VALUE_INVALID", "Several lines were pasted and not confirmed; nothing was stored");
}

function isYes(answer: string): boolean {
  return /^\s*y(es)?\s*$/i.test(answer);
}

async function readAnswer(keyboard: Keyboard, { message, isShown }: Question): Promise<string> {
  const typed = new TypedText();
  const draw = createLine(`${message}: `, isShown);
  let quietMs: number = QUIET_MS.typed;
  for (;;) {
    draw(isShown ? typed.value : "");
    const chunk = await keyboard.next(typed.isUnsettled ? quietMs : undefined);
    if (chunk === null) {
      if (typed.settle()) break;
      // The text needs more input.
      quietMs = QUIET_MS.pasted;
      const more = await keyboard.next();
      typed.feed(more ?? "");
    } else {
      if (chunk.length > 1) quietMs = QUIET_MS.pasted;
      typed.feed(chunk);
    }
    if (typed.isInterrupted) process.exit(EXIT.interrupted);
  }
  standardError().write("\n");
  return typed.value;
}

/**
 * Creates a function that redraws one line with the end of the text. It uses no control sequences, for dumb terminals.
 *
 * @param isShown whether text is shown after the prompt
 */
function createLine(prompt: string, isShown: boolean): (text: string) => void {
  const columns = process.stderr.columns || DEFAULT_COLUMNS;
  // In a narrow terminal the text gets a line of its own.
  const isOneLine = !isShown || widthOf(prompt) + TEXT_COLUMNS <= columns;
  const start = isOneLine ? prompt : "> ";
  let drawn = "";
  if (!isOneLine) standardError().write(`${prompt}\n`);
  return (text) => {
    const line = start + endThatFits(text, columns - widthOf(start) - 1);
    if (line === drawn) return;
    const clear = drawn === "" ? "" : `\r${" ".repeat(widthOf(drawn))}\r`;
    standardError().write(clear + line);
    drawn = line;
  };
}

function widthOf(text: string): number {
  return measure(text).width;
}

function endThatFits(text: string, columns: number): string {
  let end = text.replace(/\p{Cc}/gu, " ").slice(-Math.max(columns, 1));
  while (end !== "" && widthOf(end) > columns) end = end.replace(/^./su, "");
  return end;
}

/** Turns marking of pastes on and off, in terminals that support it. */
const MARK_PASTES = "\u001b[?2004h";
const LEAVE_PASTES = "\u001b[?2004l";

/** Ctrl-D, which stands for the end of the input. */
const END = "\u0004";

/** Standard input, key by key and without echo. */
interface Keyboard {
  /**
   * Returns what was typed since the last call.
   *
   * @param quietMs how long to wait before returning null, in milliseconds. Default: no limit
   */
  next(quietMs?: number): Promise<string | null>;
}

/** Opens the keyboard while `use` runs. The terminal is restored afterwards, also if the process ends. */
async function withKeyboard<T>(use: (keyboard: Keyboard) => Promise<T>): Promise<T> {
  const input = process.stdin;
  const marksPastes = isTerminal(2) && process.env["TERM"] !== "dumb";
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
    // Later output must not continue the line of the question.
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
  /** Characters can be divided between chunks. */
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
      // With setImmediate, input that arrived while the process was busy is read first.
      if (quietMs !== undefined) timer = setTimeout(() => setImmediate(resolve), quietMs);
    });
    clearTimeout(timer);
  }
}
