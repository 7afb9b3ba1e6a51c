// What a script does again and again, and what it prints in the end: of a round that throws, all is told that repeats it, and the figures of
// the others are told all the same.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { SEED } from "./random.mjs";

/** @typedef {{ id: string, figure: string, pass?: boolean, missing?: string }} Row */

const SCRIPT = basename(process.argv[1] ?? "");

/** The rounds that threw. @type {string[]} */
const broken = [];

/**
 * Does one round, or measures one row.
 *
 * @template T
 * @param {string} name
 * @param {() => T | Promise<T>} work
 * @returns {Promise<T | null>} null where it threw: then the script fails in the end, and goes on until there.
 */
export async function inRound(name, work) {
  try {
    return await work();
  } catch (error) {
    broken.push(name);
    console.log(`${name} broke, FAULTS_SEED=${SEED}: ${error instanceof Error ? error.stack : String(error)}`);
    return null;
  }
}

/**
 * Prints the rows, as the last line of the script, with one more for the rounds that broke.
 *
 * @param {readonly (Row | readonly Row[] | null)[]} rows null: what {@link inRound} gives for a row that broke
 */
export function printRows(rows) {
  const all = rows.flatMap((row) => row ?? []);
  if (broken.length > 0) {
    const figure = `${broken.length} broke: ${broken.slice(0, 5).join(", ")}; FAULTS_SEED=${SEED}`;
    all.push({ id: SCRIPT, figure, pass: false });
  }
  console.log(JSON.stringify(all));
  // What a broken round has left open would keep this process alive.
  if (broken.length > 0) process.exit(0);
}

// What throws outside of rounds ends the script: it says how to repeat that. No process is left behind, for whose output the runner would wait.
process.on("exit", (code) => {
  if (code !== 0) console.error(`${SCRIPT} ended with ${code}, FAULTS_SEED=${SEED}`);
  for (const child of childrenOf("self")) process.kill(child, "SIGKILL");
});

/** The processes that a process has started; none where this system does not tell. @param {number | "self"} pid @returns {number[]} */
export function childrenOf(pid) {
  try {
    const thread = pid === "self" ? process.pid : pid;
    return readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
