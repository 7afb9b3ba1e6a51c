/** Lines with fewer characters are words of a file format more often than secrets. */
const MIN_LINE = 8;

/** In UTF-16 units. Each form of a value takes as much memory as the value. */
const MAX_LENGTH_IN_FORMS = 65_536;

/** So many lines of a huge value are looked for. */
const MAX_LINES = 10_000;

interface NamedText {
  readonly form: string;
  readonly text: string;
}

/** The texts that stand for a value without any encoding. */
export interface ValueTexts {
  /** The value as it is, trimmed, and with the line ends of either kind of system. */
  readonly whole: readonly NamedText[];
  /** The value with line ends that only a terminal or a shell makes of it: not worth looking for in every encoding. */
  readonly reflowed: readonly NamedText[];
  /** The lines of a value that has more than one, trimmed. */
  readonly lines: readonly NamedText[];
}

/** Is the value too long to be looked for in any form but its own? */
export function isHuge(value: string): boolean {
  return value.length > MAX_LENGTH_IN_FORMS;
}

/** Takes a value apart: it may be printed line by line, or with other line ends. Of a huge one, only the first lines. */
export function valueTexts(value: string): ValueTexts {
  const trimmed = value.trim();
  const itself = [
    { form: "value", text: value },
    { form: "trimmed", text: trimmed },
  ];
  const lines = trimmed.split(/\r\n|\n|\r/, isHuge(value) ? MAX_LINES : undefined);
  if (lines.length === 1) return { whole: itself, reflowed: [], lines: [] };
  const texts = secretLines(lines.map((line) => line.trim())).map((text) => ({ form: "line", text }));
  if (isHuge(value)) return { whole: itself, reflowed: [], lines: texts };
  const joined = (lineEnd: string) => ({ form: "line-ends", text: lines.join(lineEnd) });
  return {
    whole: [...itself, joined("\n"), joined("\r\n")],
    reflowed: [joined("\r\r\n"), joined(""), { form: "line-ends", text: trimmed.replace(/[\r\n]+/g, " ") }],
    lines: texts,
  };
}

function secretLines(lines: readonly string[]): readonly string[] {
  return [...lines.filter(isSecretLine), ...lastShortLine(lines)];
}

function isSecretLine(line: string): boolean {
  return line.length >= MIN_LINE && !isArmour(line) && (line.match(/[\p{L}\p{N}]/gu)?.length ?? 0) >= 6;
}

/** PEM's `-----BEGIN …-----`: the same in everybody's key. */
function isArmour(line: string): boolean {
  return /^-----(BEGIN|END) .*-----$/.test(line);
}

/** A last line too short to be looked for alone is looked for behind the one before it. */
function lastShortLine(lines: readonly string[]): readonly string[] {
  const body = lines.filter((line) => !isArmour(line));
  const [previous = "", last = ""] = body.slice(-2);
  if (last === "" || last.length >= MIN_LINE || !isSecretLine(previous)) return [];
  return ["\n", "\r\n"].map((lineEnd) => previous + lineEnd + last);
}
