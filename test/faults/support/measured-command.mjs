import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "./outcome-of.mjs";
import { CLI, NODE } from "./sandbox.mjs";

const PEAK_MEMORY = new URL("peak-memory.mjs", import.meta.url).href;

/** @typedef {import("./installation.mjs").Outcome & { megabytes: number }} Measured With how much memory it had at its peak. */

/**
 * Runs the command while this process serves, and measures it.
 *
 * @param {string} folder
 * @param {readonly string[]} args
 * @param {{ env: NodeJS.ProcessEnv }} options
 * @returns {Promise<Measured>}
 */
export async function measure(folder, args, { env }) {
  const [program = "", ...options] = NODE;
  const file = join(folder, "peak-memory");
  const start = performance.now();
  const child = spawn(program, [...options, "--import", PEAK_MEMORY, CLI, ...args], {
    cwd: folder,
    env: { ...env, PEAK_MEMORY: file },
  });
  const outcome = await outcomeOf(child, "");
  return { ...outcome, seconds: (performance.now() - start) / 1000, megabytes: Number(readFileSync(file, "utf8")) };
}
