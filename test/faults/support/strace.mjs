import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { outcomeOf } from "./outcome-of.mjs";
import { CLI, environment, NODE } from "./sandbox.mjs";

/** False where this machine has none, or does not let it work. */
export const HAS_STRACE = spawnSync("strace", ["-qq", "true"]).status === 0;

/**
 * @typedef {object} Outcome
 * @property {number | null} status Null where it was killed.
 * @property {string | null} signal What killed it.
 * @property {boolean} hung Whether it was killed because it did not end.
 * @property {string} stdout
 * @property {string} stderr
 * @property {readonly string[]} lines What strace saw of the folder.
 */

/** A command under strace takes about a second; a fault that hits a pipe of libuv's own can make Node wait for good. */
const LIMIT_MS = 60_000;

/** Opens and writes so often in the main thread that its calls have other numbers than those of the thread that loads modules. */
const LIFT = `import{openSync,writeSync,closeSync}from"node:fs";for(let i=0;i<99;i++)try{let f=openSync("/dev/null","w");writeSync(f,"x");closeSync(f)}catch{}`;

/** What makes the calls of two runs the same, with the same numbers. */
const STEADY = {
  // One thread for all asynchronous work.
  UV_THREADPOOL_SIZE: "1",
  // With more, malloc looks into /proc now and then.
  MALLOC_ARENA_MAX: "1",
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(LIFT)}`,
};

/** @typedef {{ call: string, ordinal: number }} Point The so-many-th call of this kind in its thread. */

/**
 * Runs the command under strace and gives the calls that concern its folder.
 *
 * @param {string} folder The working directory.
 * @param {readonly string[]} args
 * @param {{ calls: string, inject?: string, input?: string, umask?: string }} options `calls` and `inject`: as strace's `trace=` and `inject=`.
 * @returns {Promise<Outcome & { points: readonly Point[] }>}
 */
export async function traced(folder, args, { calls, inject, input = "", umask = "022" }) {
  const log = `${folder}.strace`;
  const options = ["-f", "-qq", "-y", "-s", "0", "-o", log, "-e", `trace=${calls}`];
  if (inject !== undefined) options.push("-e", `inject=${inject}`);
  // Faster, but strace injects no signals then.
  if (!inject?.includes("signal=")) options.push("--seccomp-bpf");
  const shell = ["-c", `umask ${umask}; exec "$@"`, "sh", "strace", ...options, ...NODE, CLI, ...args];
  const env = { ...environment(folder), ...STEADY };
  const child = spawn("sh", shell, { cwd: folder, env, detached: true });
  let hung = false;
  const limit = setTimeout(() => {
    hung = true;
    // Strace and the command: they have a process group of their own.
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, LIMIT_MS);
  const { status, stdout, stderr } = await outcomeOf(child, input);
  clearTimeout(limit);
  // strace names the working directory with every call.
  const lines = readFileSync(log, "utf8")
    .replaceAll(/AT_FDCWD<[^>]*>/g, "AT_FDCWD")
    .split("\n");
  rmSync(log, { force: true });
  return {
    status,
    signal: child.signalCode,
    hung,
    stdout,
    stderr,
    lines: lines.filter((line) => line.includes(folder)),
    points: pointsOf(lines, folder),
  };
}

/** @param {readonly string[]} lines @param {string} folder */
function pointsOf(lines, folder) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  /** @type {Map<string, Point>} */
  const points = new Map();
  for (const line of lines) {
    // A call that was left and resumed has begun with its first line.
    const [, thread, call = ""] = /^(\d+) +([a-z0-9_]+)\(/.exec(line) ?? [];
    if (call === "") continue;
    const ordinal = (counts.get(`${thread} ${call}`) ?? 0) + 1;
    counts.set(`${thread} ${call}`, ordinal);
    if (line.includes(folder)) points.set(`${call} ${ordinal}`, { call, ordinal });
  }
  return [...points.values()];
}
