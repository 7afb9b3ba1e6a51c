import { execFile, spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { repository } from "./workspace.mjs";

const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] Default: the root of the workspace.
 * @property {NodeJS.ProcessEnv} [env] Default: that of this process, with the tools of the workspace on its PATH.
 * @property {string} [input] Standard input. Default: none.
 * @property {number} [limitMs] Kills the command after this time. Default: no limit.
 *
 * @typedef {object} Outcome
 * @property {boolean} ok Exit code 0.
 * @property {number} status The exit code; 1 where there is none: not found, or killed.
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} seconds
 */

/**
 * Runs a command to its end, without a terminal. Never throws.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Outcome}
 */
export function run(command, args, { cwd = repository, env = toolEnvironment(), input = "", limitMs = 0 } = {}) {
  const start = performance.now();
  const result = spawnSync(command, args, {
    cwd,
    env,
    input,
    timeout: limitMs,
    killSignal: "SIGKILL",
    encoding: "utf8",
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  const seconds = (performance.now() - start) / 1000;
  const status = result.status ?? 1;
  const trouble = result.error?.message ?? (result.signal ? `${command} was killed by ${result.signal}` : "");
  return { ok: status === 0, status, stdout: result.stdout ?? "", stderr: (result.stderr ?? "") + trouble, seconds };
}

/**
 * The same, without blocking this process.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Pick<RunOptions, "cwd" | "env">} [options]
 * @returns {Promise<Outcome>}
 */
export async function runBeside(command, args, { cwd = repository, env = toolEnvironment() } = {}) {
  const start = performance.now();
  const options = { cwd, env, encoding: /** @type {const} */ ("utf8"), maxBuffer: MAX_OUTPUT_BYTES };
  return await new Promise((resolve) => {
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      const seconds = (performance.now() - start) / 1000;
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      const trouble = typeof error?.code === "string" || error?.signal ? error.message : "";
      resolve({ ok: status === 0, status, stdout, stderr: stderr + trouble, seconds });
    });
    child.stdin?.end();
  });
}

/**
 * Everything a command said, as one text.
 *
 * @param {Outcome} outcome
 */
export function outputOf({ stdout, stderr }) {
  return [stdout, stderr]
    .map((text) => text.trimEnd())
    .filter(Boolean)
    .join("\n");
}

/**
 * Runs a command and returns its standard output; throws an Error with everything it said where it fails.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 */
export function mustRun(command, args, options) {
  const outcome = run(command, args, options);
  if (outcome.ok) return outcome.stdout;
  throw new Error(`${[command, ...args].join(" ")} ended with ${outcome.status}\n${outputOf(outcome)}`);
}

/** The environment of this process, with the tools of the workspace on its PATH. @returns {NodeJS.ProcessEnv} */
export function toolEnvironment() {
  const tools = join(repository, "node_modules", ".bin");
  return {
    ...process.env,
    PATH: `${tools}${delimiter}${process.env["PATH"]}`,
    NO_COLOR: "1",
  };
}
