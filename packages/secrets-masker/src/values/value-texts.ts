/** Lines with fewer characters are more often words of a file format than secrets. */
const MIN_LINE = 8;

/** In UTF-16 units. Longer texts have no other variants than lines and parts: each would take as much memory again. */
export const MAX_LENGTH = 65_536;

/** The maximum number of lines of a value that are looked for. */
export const MAX_LINES = 10_000;

interface NamedText {
  readonly kind: string;
  readonly text: string;
}

/** The texts of a value that involve no encoding. */
export interface ValueTexts {
  /** The value as it is, trimmed, and with the line ends that systems, terminals and shells turn its own into. */
  readonly whole: readonly NamedText[];
  /** The lines of a value that has more than one, trimmed. */
  readonly lines: readonly string[];
  /** What to encode: the trimmed value, which also finds the untrimmed one, and the value with LF and with CRLF. */
  readonly encodable: readonly string[];
}

export const NO_TEXTS: ValueTexts = { whole: [], lines: [], encodable: [] };

/** Lists the texts of a value, which may be printed line by line or with other line ends. */
export function valueTexts(value: string): ValueTexts {
  const trimmed = value.trim();
  const lines = splitLines(trimmed);
  const reflowed = lines.length === 1 || value.length > MAX_LENGTH ? [] : withLineEnds(lines);
  return {
    whole: [
      { kind: "value", text: value },
      { kind: "trimmed", text: trimmed },
      ...reflowed.map((text) => ({ kind: "line-ends", text })),
    ],
    lines: lines.length === 1 ? [] : secretLines(lines.slice(0, MAX_LINES).map((line) => line.trim())),
    encodable: [trimmed, ...reflowed.slice(0, 2)],
  };
}

export function splitLines(text: string): readonly string[] {
  return text.split(/\r\n|\n|\r/);
}

/** With LF and CRLF, with the line ends of a terminal, and joined, as a shell does without quotes. */
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

/** The `-----BEGIN …-----` of PEM is the same in every key. */
function isArmour(line: string): boolean {
  return /^-----(BEGIN|END) .*-----$/.test(line);
}

/** False for a rule of dashes or a row of brackets. */
function isVaried(line: string): boolean {
  return new Set(line).size >= 6 || (line.match(/[\p{L}\p{N}]/gu)?.length ?? 0) >= 6;
}

/** A last line that is too short to be looked for on its own is looked for together with the line before it. */
function lastShortLine(lines: readonly string[]): readonly string[] {
  const body = lines.filter((line) => !isArmour(line));
  const [previous = "", last = ""] = body.slice(-2);
  if (last === "" || last.length >= MIN_LINE || !isSecretLine(previous)) return [];
  return ["\n", "\r\n"].map((lineEnd) => previous + lineEnd + last);
}
