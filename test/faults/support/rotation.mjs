import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { outcomeOf } from "./outcome-of.mjs";
import { createRandom, SEED } from "./random.mjs";
import { CLI, environment } from "./sandbox.mjs";

const random = createRandom(SEED);

/** How many secrets a project has. */
export const SECRETS = 150;

/**
 * A store, and the home from which it is used.
 *
 * @typedef {object} Project
 * @property {string} folder
 * @property {string} backend
 * @property {NodeJS.ProcessEnv} env
 */

/** @typedef {{ ends: number, inTime: number, wrong: number, unreadable: number, unfinished: number }} Figures */

/** @returns {Figures} */
export function noFigures() {
  return { ends: 0, inTime: 0, wrong: 0, unreadable: 0, unfinished: 0 };
}

/** So many were ended, and one of them in time: from one to the next the machine may be busy, or no longer. @param {Figures} figures @param {number} count */
export function isEnough({ ends, inTime }, count) {
  return ends >= count && (inTime > 0 || ends >= 10 * count);
}

/** @param {Figures} figures */
export function isGood({ inTime, wrong, unreadable, unfinished }) {
  return inTime > 0 && wrong === 0 && unreadable === 0 && unfinished === 0;
}

/** @param {string} backend @param {Figures} figures */
export function inWords(backend, { ends, inTime, wrong, unreadable, unfinished }) {
  return `${backend}: ${inTime} of ${ends} killed or interrupted in time, ${wrong} ended wrongly, ${unreadable} unreadable, ${unfinished} unfinished`;
}

/**
 * @param {string} folder
 * @param {string} backend
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Project}
 */
export function projectIn(folder, backend, env = environment(folder)) {
  return { folder, backend, env };
}

/** @param {Project} project */
function place({ folder, backend, env }) {
  return { storagePath: join(folder, ".workflow/secrets"), backend, env };
}

/** @param {Project} project */
export async function fill(project) {
  mkdirSync(project.folder, { recursive: true });
  const { secrets } = await openSecretsManager(place(project));
  const inputs = Array.from({ length: SECRETS }, (_, index) => ({
    name: `S${index}`,
    type: /** @type {const} */ ("apiKey"),
    fields: { value: `value ${index}` },
  }));
  await secrets.setAll(inputs);
  await secrets.close();
}

/** Reads everything, then writes. @param {Project} project @param {{ unreadable: number }} figures @param {string} [keyFile] */
export async function verify(project, figures, keyFile) {
  const { secrets } = await openSecretsManager({ ...place(project), keyFile });
  for (let index = 0; index < SECRETS; index++) {
    const value = await secrets.get(`S${index}`).then(
      ({ fields }) => fields["value"],
      (error) => String(error),
    );
    if (value === `value ${index}`) continue;
    figures.unreadable += 1;
    console.log(project.backend, value);
  }
  await secrets.set({ name: "S0", type: "apiKey", fields: { value: "value 0" } });
  await secrets.close();
}

/**
 * Runs `secrets rotate-key`, and sends it a signal after some milliseconds.
 *
 * @param {Project} project
 * @param {readonly string[]} args
 * @param {{ signal: NodeJS.Signals, after: number } | null} [end]
 */
export async function rotate({ folder, backend, env }, args, end = null) {
  const command = [CLI, "secrets", "rotate-key", "--quiet", "--storage-backend", backend, ...args];
  const child = spawn(process.execPath, command, { cwd: folder, env });
  if (end !== null) setTimeout(() => child.kill(end.signal), end.after);
  return { ...(await outcomeOf(child, "")), signal: child.signalCode };
}

/**
 * How long a rotation takes from beginning to end, as the last one did that came to its end.
 *
 * @typedef {{ milliseconds: number }} Duration
 */

/** @param {Project} project @param {readonly string[]} args @returns {Promise<Duration>} */
export async function timeOf(project, args) {
  const started = performance.now();
  const { status, stderr } = await rotate(project, args);
  if (status !== 0) throw new Error(stderr);
  return { milliseconds: performance.now() - started };
}

/**
 * Ends a rotation at a random moment, every other time by Ctrl-C. While it starts there is nothing to end.
 *
 * @param {Project} project
 * @param {readonly string[]} args
 * @param {Duration} whole How long it takes without that.
 * @param {Figures} figures
 */
export async function endAtRandom(project, args, whole, figures) {
  const signal = figures.ends % 2 === 0 ? "SIGKILL" : "SIGINT";
  figures.ends += 1;
  const started = performance.now();
  const outcome = await rotate(project, args, { signal, after: whole.milliseconds * (0.3 + 0.65 * random()) });
  if (outcome.signal === signal || (signal === "SIGINT" && outcome.status === 130)) figures.inTime += 1;
  else if (outcome.status === 0) whole.milliseconds = performance.now() - started;
  else countWrong(project, outcome, figures);
}

/** Runs a rotation that has to come to its end. @param {Project} project @param {readonly string[]} args @param {Figures} figures */
export async function rotateAgain(project, args, figures) {
  const outcome = await rotate(project, args);
  if (outcome.status !== 0) countWrong(project, outcome, figures);
}

/**
 * @param {Project} project
 * @param {{ status: number | null, signal: NodeJS.Signals | null, stderr: string }} outcome
 * @param {Figures} figures
 */
function countWrong({ backend }, { status, signal, stderr }, figures) {
  figures.wrong += 1;
  console.log(backend, status, signal, stderr);
}

/** Counts a rotation that has left an older data key. @param {Project} project @param {Figures} figures @param {string} [keyFile] */
export async function checkFinished(project, figures, keyFile) {
  const { keys, secrets } = await openSecretsManager({ ...place(project), keyFile });
  const { header, fingerprint } = await keys.keyring();
  await secrets.close();
  if (header.dataKeys.some(({ state }) => state === "decrypt-only")) figures.unfinished += 1;
  return fingerprint;
}

/**
 * Runs a rotation to its end, and looks at what it has left.
 *
 * @param {Project} project
 * @param {readonly string[]} args
 * @param {Figures} figures
 * @param {string} [keyFile]
 */
export async function finish(project, args, figures, keyFile) {
  await rotateAgain(project, args, figures);
  await checkFinished(project, figures, keyFile);
  await verify(project, figures, keyFile);
}
