import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { outcomeOf } from "./outcome-of.mjs";
import { CLI, environment, NODE } from "./sandbox.mjs";

/** Long enough that a file of three secrets is larger than a page. */
export const VALUE = "value ".repeat(400);

/** @typedef {{ status: number | null, stdout: string, stderr: string, seconds: number }} Outcome */

/** The environment of {@link fill} and of every command: its key is none of what is under test. @param {string} folder */
export function keyed(folder) {
  return { ...environment(folder), AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4) };
}

/** The folder of the store. @param {string} folder */
export function placeOf(folder) {
  return join(folder, ".workflow", "secrets");
}

/** Makes the installation anew: A in two versions, B and C. @param {string} folder @param {string} backend */
export async function fill(folder, backend) {
  rmSync(placeOf(folder), { recursive: true, force: true });
  const { secrets } = await openSecretsManager({ storagePath: placeOf(folder), backend, env: keyed(folder) });
  for (const name of ["A", "A", "B", "C"]) await secrets.set({ name, type: "apiKey", fields: { value: VALUE + name } });
  await secrets.close();
}

/**
 * All that is stored, on one line: names, versions, values, and what is deleted. Or why it cannot be read.
 *
 * @param {string} folder @param {string} backend
 */
export async function stateOf(folder, backend) {
  try {
    const { secrets } = await openSecretsManager({ storagePath: placeOf(folder), backend, env: keyed(folder) });
    try {
      const parts = [];
      for (const { name, version, deletedAt } of await secrets.list({ state: "all" })) {
        const versions = deletedAt === null ? (await secrets.versions(name)).map((one) => one.version) : ["deleted"];
        const value = deletedAt === null ? String((await secrets.get(name)).fields["value"]) : "";
        parts.push(`${name}${version} [${versions.join(" ")}] ${value.replace(VALUE, "")}`);
      }
      return parts.join(", ");
    } finally {
      await secrets.close();
    }
  } catch (error) {
    return String(error);
  }
}

/**
 * Runs the command without blocking this process, which may be the one that holds a lock.
 *
 * @param {string} folder
 * @param {readonly string[]} args
 * @param {{ input?: string, under?: readonly string[], env?: NodeJS.ProcessEnv }} [options] `under`: a command that runs it, as
 * `prlimit --fsize=1024`
 * @returns {Promise<Outcome>}
 */
export async function run(folder, args, { input = "", under = [], env = keyed(folder) } = {}) {
  const [command = "", ...rest] = [...under, ...NODE, CLI, ...args];
  const start = performance.now();
  const outcome = await outcomeOf(spawn(command, rest, { cwd: folder, env }), input);
  return { ...outcome, seconds: (performance.now() - start) / 1000 };
}
