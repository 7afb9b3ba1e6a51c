import type { Terminal } from "./terminal.ts";

/** The space between two columns. */
const GAP = "  ";
const ELLIPSIS = "…";
/** The minimum width of a column that is cut. */
const MIN_WIDTH = 4;
/** In narrower terminals, tables that do not fit show dates without the time of day. */
const NARROW = 110;
const TIME = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}):\d{2}\.\d{3}Z$/;

type Row = readonly string[];

/** Prints rows: a table as wide as the terminal for people, tab-separated without a header for pipes. */
export async function printTable(terminal: Terminal, header: Row, rows: readonly Row[]): Promise<void> {
  if (terminal.outputIsTty) terminal.write(await drawTable(header, rows, process.stdout.columns));
  else terminal.write(rows.map((row) => `${row.join("\t")}\n`).join(""));
}

/**
 * Draws a table that no terminal wraps: what does not fit is cut, the widest columns first. Times are in UTC, to the
 * minute, or to the day in a narrow terminal. A cell may have several lines.
 *
 * @param room the width of the terminal, in columns. Default: no limit
 */
export async function drawTable(
  header: Row,
  rows: readonly Row[],
  room: number = Number.POSITIVE_INFINITY,
): Promise<string> {
  const { default: measure } = await import("fast-string-truncated-width");
  const widthOf = (text: string) => measure(text).width;
  const columnsOf = (table: readonly Row[]) =>
    header.map((_, index) => Math.max(0, ...table.flatMap((row) => (row[index] ?? "").split("\n").map(widthOf))));
  const gaps = GAP.length * (header.length - 1);
  const minutes = [header, ...rows.map((row) => shortenTimes(row, "$1 $2"))];
  const isNarrow = room < NARROW && sum(columnsOf(minutes)) + gaps > room;
  const table = isNarrow ? [header, ...rows.map((row) => shortenTimes(row, "$1"))] : minutes;
  const widths = shrink(columnsOf(table), room - gaps);

  function fitCell(text: string, width: number): string {
    const { index, width: shown, ellipsed } = measure(text, { limit: width, ellipsis: ELLIPSIS });
    const cut = ellipsed ? `${text.slice(0, index)}${ELLIPSIS}` : text.slice(0, index);
    return cut + " ".repeat(Math.max(0, width - shown - (ellipsed ? ELLIPSIS.length : 0)));
  }

  const lines = table.flatMap((row) => {
    const cells = row.map((cell) => cell.split("\n"));
    const height = Math.max(...cells.map(({ length }) => length));
    return Array.from({ length: height }, (_, line) =>
      cells.map((cell, index) => fitCell(cell[line] ?? "", widths[index] ?? 0)).join(GAP),
    );
  });
  return lines.map((line) => `${(Number.isFinite(room) ? fitCell(line, room) : line).trimEnd()}\n`).join("");
}

function shortenTimes(row: Row, form: string): Row {
  return row.map((cell) => cell.replace(TIME, form));
}

/** Narrows the widest column, one by one, until all fit or all have the minimum width. */
function shrink(widths: readonly number[], room: number): readonly number[] {
  const shrunk = [...widths];
  while (sum(shrunk) > room) {
    const widest = Math.max(...shrunk);
    if (widest <= MIN_WIDTH) break;
    shrunk[shrunk.lastIndexOf(widest)] = widest - 1;
  }
  return shrunk;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
