import { AutokestraError } from "@autokestra/secrets-core";
import measure from "fast-string-truncated-width";
import { EXIT } from "./exit-code.ts";
import { type Keyboard, withKeyboard } from "./keyboard.ts";
import { standardError } from "./output.ts";
import { TypedText } from "./typed-text.ts";
import { describeSize } from "./value-shape.ts";

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
