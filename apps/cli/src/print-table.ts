import type { Terminal } from "./terminal.ts";

/** Prints rows: a table for people, tab-separated without a header for pipes. */
export async function printTable(
  terminal: Terminal,
  header: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  if (terminal.outputIsTty) terminal.write(`${await drawTable(header, rows)}\n`);
  else terminal.write(rows.map((row) => `${row.join("\t")}\n`).join(""));
}

async function drawTable(header: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
  };
  const noRules = {
    ...none,
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
  };
  const table = new Table({
    head: [...header],
    chars: { ...noRules, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
