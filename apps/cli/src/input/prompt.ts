import { StringDecoder } from "node:string_decoder";
import { AutokestraError } from "@autokestra/secrets-core";
import measure from "fast-string-truncated-width";
import { EXIT } from "../exit.ts";
import { isTerminal, standardError } from "../output/terminal.ts";
import { describeSize } from "../output/value-shape.ts";
import { TypedText } from "./typed-text.ts";

/** How long nothing must follow a line break that was typed, or that came together with other text, in milliseconds. */
const QUIET_MS = { typed: 50, pasted: 300 } as const;

const DEFAULT_COLUMNS = 80;

/** The room that a text has behind its prompt, at least. */
const TEXT_COLUMNS = 8;

export interface Question {
  /** Without the colon behind it. */
  readonly message: string;
  /** What is typed can be seen. */
  readonly isShown: boolean;
}

/**
 * Asks for values, one after another. Only where standard input is a terminal. Ctrl-C and Ctrl-D end the process.
 *
 * @throws AutokestraError `VALUE_INVALID` where several lines were pasted, and the person did not mean them
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

/** Asks for one value, which is not shown. */
export async function askSecret(message: string): Promise<string> {
  const [answer = ""] = await ask([{ message, isShown: false }]);
  return answer;
}

/** Asks yes or no; Enter is no. */
export async function confirmOrExit(message: string): Promise<boolean> {
  const answer = await withKeyboard(
    async (keyboard) => await readAnswer(keyboard, { message: `${message} (y/N)`, isShown: true }),
  );
  return isYes(answer);
}

/** What was pasted is taken whole or not at all. Only an answer counts: the line break behind a paste is none. */
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
      // Only more text can finish it.
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
 * Draws one line again and again, with what fits of the end of the text. Without control sequences: a dumb terminal has none.
 *
 * @param isShown there will be text behind the prompt
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

/** Terminals that know these say where a paste begins and ends. */
const MARK_PASTES = "\u001b[?2004h";
const LEAVE_PASTES = "\u001b[?2004l";

/** What is sent where nothing comes any more: Ctrl-D. */
const END = "\u0004";

/** Standard input, key by key and without echo, for as long as somebody is asked. */
interface Keyboard {
  /**
   * What was typed since the last time.
   *
   * @param quietMs null after so many milliseconds without anything. Default: waits
   */
  next(quietMs?: number): Promise<string | null>;
}

/** Opens the keyboard while `use` takes. However that ends, or the process does, the terminal is as it was before. */
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
