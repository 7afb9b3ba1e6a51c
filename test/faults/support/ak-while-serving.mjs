import { spawn } from "node:child_process";
import { CLI, environment } from "./sandbox.mjs";

/**
 * Runs the command without blocking this process, so that a server in it can answer. Gives everything it printed.
 *
 * @param {string} folder
 * @param {readonly string[]} always Options for every call.
 */
export function akWhileServing(folder, always) {
  /** @param {readonly string[]} args @param {string} input */
  return async (args, input) => {
    const child = spawn(process.execPath, [CLI, ...always, ...args], { cwd: folder, env: environment(folder) });
    child.stdin.end(input);
    /** @type {Buffer[]} */
    const chunks = [];
    child.stdout.on("data", (chunk) => chunks.push(chunk));
    child.stderr.on("data", (chunk) => chunks.push(chunk));
    await new Promise((resolve) => child.on("close", resolve));
    return Buffer.concat(chunks);
  };
}
