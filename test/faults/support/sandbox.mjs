import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** The built command. */
export const CLI = resolve("apps/cli/dist/autokestra.cjs");

/** Node.js with the options of this process, so that `--import` of `without-better-sqlite3.mjs` reaches what it starts. */
export const NODE = [process.execPath, ...process.execArgv];

/**
 * Runs `work` in an empty folder, which is removed afterwards.
 *
 * @template T
 * @param {(folder: string) => Promise<T> | T} work
 */
export async function inFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-fault-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An environment with nothing in it but PATH and a home inside the folder. @param {string} folder */
export function environment(folder) {
  return { PATH: process.env["PATH"], HOME: join(folder, "home") };
}

/**
 * Runs the command in a folder, under a umask.
 *
 * @param {string} folder
 * @param {readonly string[]} args
 * @param {{ input?: string, umask?: string }} [options]
 */
export function ak(folder, args, { input = "", umask = "022" } = {}) {
  const shell = ["-c", `umask ${umask}; exec "$@"`, "sh", ...NODE, CLI, ...args];
  const { status, stdout, stderr } = spawnSync("sh", shell, { cwd: folder, env: environment(folder), input });
  return { status, stdout: stdout.toString("latin1"), stderr: stderr.toString("latin1") };
}

/** Every file and folder below a folder. @param {string} folder */
export function everythingIn(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).map((path) => join(folder, path));
}
