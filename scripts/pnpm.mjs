// Runs the pinned pnpm through npx, so that a machine with node and npm needs nothing else.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJson, repository } from "./workspace.mjs";

const { packageManager } = readJson(join(repository, "package.json"));

/** What npx needs to be told to run pnpm. */
export const npxPnpm = ["--yes", packageManager];

/**
 * Runs pnpm with the given arguments in the workspace root; returns its exit code.
 *
 * @param {string[]} args
 */
export function pnpm(...args) {
  const { status } = spawnSync("npx", [...npxPnpm, ...args], {
    cwd: repository,
    stdio: "inherit",
  });
  return status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(pnpm(...process.argv.slice(2)));
