// Measures `autokestra serve` against a bare fastify route that does the same reads, over loopback. Run `pnpm build` first. README.md
// explains the figures. `--minutes N`: afterwards, whether its memory stays the same.

import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { printTable } from "./print-table.mjs";
import { load } from "./server/load.mjs";
import { measureMemory } from "./server/measure-memory.mjs";
import { startBare, startOurs } from "./server/servers.mjs";

const SIZE = 1000;
/** @type {readonly ["metadata" | "decrypt", "" | "/decrypt", number][]} */
const ROUTES = [
  ["metadata", "", 0.7],
  ["decrypt", "/decrypt", 0.5],
];

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    requests: { type: "string", default: "4000" },
    minutes: { type: "string", default: "0" },
  },
});
/** How many requests V8 needs to optimise. */
const WARM_UP = 20_000;

const folder = mkdtempSync(join(tmpdir(), "autokestra-bench-"));
const bare = await startBare(folder, SIZE);
const ours = await startOurs(folder, SIZE);
try {
  console.log(`This machine: ${cpus().length} cores, Node ${process.versions.node}`);
  printTable("One request over loopback, ten connections: medians, and ratios of bare to ours", await measureRoutes());
  if (values.minutes !== "0") printTable("Memory under load", await measureMemory(ours, Number(values.minutes)));
} finally {
  await Promise.all([bare.close(), ours.close()]);
  rmSync(folder, { recursive: true });
}

/** @returns {Promise<string[][]>} A table. */
async function measureRoutes() {
  const header = [
    "route",
    "bare/s",
    "ours/s",
    "ours/bare",
    "goal",
    "",
    "bare µs CPU",
    "ours µs CPU",
    "bare/ours",
    "bare p99 ms",
    "ours p99 ms",
  ];
  const table = [header];
  for (const [route, suffix, goal] of ROUTES) {
    /** @type {{ bare: Awaited<ReturnType<typeof load>>[], ours: Awaited<ReturnType<typeof load>>[] }} */
    const samples = { bare: [], ours: [] };
    for (const server of [bare, ours]) await load(server, suffix, suffix === "" ? WARM_UP : WARM_UP / 10);
    for (let round = 0; round < Number(values.rounds); round++) {
      const amount = suffix === "" ? Number(values.requests) : Number(values.requests) / 4;
      samples.bare.push(await load(bare, suffix, amount));
      samples.ours.push(await load(ours, suffix, amount));
    }
    const [one, other] = [samples.bare, samples.ours];
    const rate = { bare: median(one, "rate"), ours: median(other, "rate") };
    const cpu = { bare: median(one, "cpu"), ours: median(other, "cpu") };
    const ratio = rate.ours / rate.bare;
    table.push([
      route,
      rate.bare.toFixed(0),
      rate.ours.toFixed(0),
      ratio.toFixed(2),
      goal.toFixed(2),
      ratio >= goal ? "met" : "missed",
      cpu.bare.toFixed(1),
      cpu.ours.toFixed(1),
      (cpu.bare / cpu.ours).toFixed(2),
      String(median(one, "p99")),
      String(median(other, "p99")),
    ]);
  }
  return table;
}

/** @param {readonly Awaited<ReturnType<typeof load>>[]} samples @param {"rate" | "cpu" | "p99"} figure */
function median(samples, figure) {
  const sorted = samples.map((sample) => sample[figure]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
