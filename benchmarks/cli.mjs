// Measures commands from start to end, against an empty program, with the current Node. Run `pnpm build` first. README.md
// explains the figures.
import { cpus } from "node:os";
import { preparePrograms } from "./cli/programs.mjs";
import { measure } from "./measure.mjs";
import { printTable } from "./print-table.mjs";

/** The maximum time divided by that of the empty program. */
const GOAL = Number(process.versions.node.split(".", 1)[0]) < 22 ? 2.2 : 1.8;

const { ways, notes, remove } = preparePrograms();
try {
  const times = await measure(ways, { rounds: 21, operations: 1, clock: "wall" });
  const empty = times["node empty.cjs"] ?? Number.NaN;
  console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
  printTable("One command from start to end: ms, and how many times as long as the empty program", [
    ["", "ms", "ratio", "goal", ""],
    ...Object.entries(times).map(([name, time]) => [name, (time / 1000).toFixed(1), ...ratio(name, time / empty)]),
  ]);
  for (const note of notes) console.log(`\n  ${note}`);
} finally {
  remove();
}

/** @param {string} name @param {number} times */
function ratio(name, times) {
  if (name !== "secrets get") return [times.toFixed(2), "", ""];
  return [times.toFixed(2), GOAL.toFixed(1), times <= GOAL ? "met" : "missed"];
}
