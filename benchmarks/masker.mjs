// Measures how fast values are masked, against other ways. Run `pnpm build` first. README.md explains the figures. --short takes half a minute.
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { checkGoals } from "./masker/check-goals.mjs";
import { drawChart } from "./masker/draw-chart.mjs";
import { measureBuilds } from "./masker/measure-builds.mjs";
import { measureHardSets } from "./masker/measure-hard-sets.mjs";
import { measureLines } from "./masker/measure-lines.mjs";
import { createCorpus, measureSets } from "./masker/measure-sets.mjs";
import { printTable } from "./print-table.mjs";

const isShort = process.argv.includes("--short");
const effort = isShort ? { rounds: 9, milliseconds: 15 } : { rounds: 9, milliseconds: 60 };
const megabytes = isShort ? 16 : 64;
/** @type {import("./masker/measure-sets.mjs").SetSize[]} */
const few = [10, 100, 1000].flatMap((count) => [
  [count, "raw"],
  [count, "in all forms"],
]);
few.push([100, "structured"]);
/** @type {import("./masker/measure-sets.mjs").SetSize[]} */
const all = [[1, "raw"], [1, "in all forms"], ...few, [10_000, "raw"], [10_000, "in all forms"]];

console.log(
  `This machine: ${cpus().length} cores, Node ${process.versions.node}; ${megabytes} MB of log in chunks of 64 KiB`,
);
const sets = await measureSets({ sizes: isShort ? few : all, megabytes, effort });
const columns = [...new Set(sets.flatMap(({ rates }) => Object.keys(rates)))];
printTable("MB/s of CPU time (-: cannot be built, or takes minutes)", [
  ["", "texts", ...columns],
  ...sets.map(({ values, kind, patterns, rates }) => [
    `${values}${kind === "raw" ? "" : ` ${kind}`}`,
    String(patterns),
    ...columns.map((name) => (rates[name] === undefined ? "-" : String(Number(rates[name].toPrecision(3))))),
  ]),
]);

const log = createCorpus(isShort ? 4 : 16);
const lines = await measureLines(log, effort.rounds);
printTable("One line of about 100 characters: ns", [
  Object.keys(lines),
  Object.values(lines).map((time) => time.toFixed(0)),
]);

const builds = await measureBuilds(isShort ? [100, 1000, 7000] : [1, 100, 1000, 7000, 70_000]);
printTable("Built, and what it keeps in memory", [
  ["texts", "ms", "µs for one more", "KiB", "bytes for each over 256 KiB"],
  ...builds.map(({ patterns, milliseconds, oneMore, bytes }) => [
    String(patterns),
    milliseconds.toFixed(1),
    oneMore.toFixed(0),
    (bytes / 1024).toFixed(0),
    (Math.max(0, bytes - 2 ** 18) / patterns).toFixed(0),
  ]),
]);

const hard = await measureHardSets(log, effort);
printTable("Goals", checkGoals({ sets, lines, builds, hard }));
if (!isShort) writeFileSync(new URL("masker/chart.svg", import.meta.url), drawChart(sets));
