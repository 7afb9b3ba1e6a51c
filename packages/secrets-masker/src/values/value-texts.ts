/** Lines with fewer characters are words of a file format more often than secrets. */
const MIN_LINE = 8;

/** In UTF-16 units. A longer text is looked for as it is, and line by line: any other form takes as much memory again. */
export const MAX_LENGTH = 65_536;

/** So many lines of a value are looked for. */
export const MAX_LINES = 10_000;

interface NamedText {
  readonly form: string;
  readonly text: string;
}

/** The texts that stand for a value without any encoding. */
export interface ValueTexts {
  /** The value as it is, trimmed, and with the line ends that systems, terminals and shells make of its own. */
  readonly whole: readonly NamedText[];
  /** The lines of a value that has more than one, trimmed. */
  readonly lines: readonly string[];
  /**
   * What to look for in every encoding: the trimmed value, for it is a part of what the value becomes, and the line ends of
   * either kind of system.
   */
  readonly encodable: readonly string[];
}

export const NO_TEXTS: ValueTexts = { whole: [], lines: [], encodable: [] };

/** Takes a value apart: it may be printed line by line, or with other line ends. */
export function valueTexts(value: string): ValueTexts {
  const trimmed = value.trim();
  const lines = splitLines(trimmed);
  const reflowed = lines.length === 1 || value.length > MAX_LENGTH ? [] : withLineEnds(lines);
  return {
    whole: [
      { form: "value", text: value },
      { form: "trimmed", text: trimmed },
      ...reflowed.map((text) => ({ form: "line-ends", text })),
    ],
    lines: lines.length === 1 ? [] : secretLines(lines.slice(0, MAX_LINES).map((line) => line.trim())),
    encodable: [trimmed, ...reflowed.slice(0, 2)],
  };
}

export function splitLines(text: string): readonly string[] {
  return text.split(/\r\n|\n|\r/);
}

/** The line ends of either kind of system, of a terminal, and of a shell that takes the value apart. */
function withLineEnds(lines: readonly string[]): readonly string[] {
  return [
    ...["\n", "\r\n", "\r\r\n", ""].map((lineEnd) => lines.join(lineEnd)),
    lines.filter((line) => line !== "").join(" "),
  ];
}

function secretLines(lines: readonly string[]): readonly string[] {
  return [...lines.filter(isSecretLine), ...lastShortLine(lines)];
}

function isSecretLine(line: string): boolean {
  return line.length >= MIN_LINE && !isArmour(line) && isVaried(line);
}

/** PEM's `-----BEGIN …-----`: the same in everybody's key. */
function isArmour(line: string): boolean {
  return /^-----(BEGIN|END) .*-----$/.test(line);
}

/** Not a rule of dashes, nor a row of brackets. */
function isVaried(line: string): boolean {
  return new Set(line).size >= 6 || (line.match(/[\p{L}\p{N}]/gu)?.length ?? 0) >= 6;
}

/** A last line too short to be looked for alone is looked for behind the one before it. */
function lastShortLine(lines: readonly string[]): readonly string[] {
  const body = lines.filter((line) => !isArmour(line));
  const [previous = "", last = ""] = body.slice(-2);
  if (last === "" || last.length >= MIN_LINE || !isSecretLine(previous)) return [];
  return ["\n", "\r\n"].map((lineEnd) => previous + lineEnd + last);
}
