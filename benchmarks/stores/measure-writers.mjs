import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openSecretsManager } from "./installation.mjs";

const WRITERS = 4;
const SECONDS = 3;
const GOAL = 0.05;

/** @param {string} folder @returns {Promise<string[][]>} A table. */
export async function measureWriters(folder) {
  const path = join(folder, "writers", "secrets.db");
  const { secrets } = await openSecretsManager(path, 0);
  await secrets.close();
  const outcomes = await Promise.all(Array.from({ length: WRITERS }, async (_, index) => await run(path, index)));
  const counts = outcomes.map(({ written }) => written);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const errors = outcomes.reduce((sum, outcome) => sum + outcome.errors, 0);
  const share = Math.min(...counts) / total;
  return [
    ["writes", "a second", "errors", "goal", "", "slowest writer's share", "goal", ""],
    [
      String(total),
      (total / SECONDS).toFixed(0),
      String(errors),
      "0",
      errors === 0 ? "met" : "missed",
      share.toFixed(2),
      GOAL.toFixed(2),
      share >= GOAL ? "met" : "missed",
    ],
  ];
}

/** @param {string} path @param {number} index @returns {Promise<{ written: number, errors: number }>} */
async function run(path, index) {
  const script = fileURLToPath(new URL("writer.mjs", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script, path, `W${index}`, String(SECONDS)]);
  return JSON.parse(stdout);
}
