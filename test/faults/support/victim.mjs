import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager, restoreBackup } from "../../../packages/secrets/dist/index.js";
import { completeFolder, OTHER_KEY } from "./call-commands.mjs";
import { describe } from "./model.mjs";
import { readState } from "./read-state.mjs";
import { ak, environment, everythingIn, inFolder } from "./sandbox.mjs";
import { traced } from "./strace.mjs";

/** @import { MutatingCommand } from "./call-commands.mjs" */
/** @import { Outcome, Point } from "./strace.mjs" */

const CALLS = [
  "openat,write,writev,pwrite64,pwritev,fallocate,ftruncate,fsync,fdatasync,mkdir,mkdirat,chmod,fchmod,fchmodat",
  "rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir",
].join(",");
const INPUT = "another value";
/** So often a run in which another call was hit is done again. */
const ATTEMPTS = 5;

/**
 * A command that is made to fail, in a folder that is put back each time.
 *
 * @typedef {object} Victim
 * @property {string} name
 * @property {string} before What is there before the command, as one text.
 * @property {string} after And after it.
 * @property {readonly Point[]} points Its calls.
 * @property {(point: Point, fault: string) => Promise<{ outcome: Outcome, hit: string | null }>} run Runs it with a fault; `hit`
 * is the call that was hit, null where it was none of this folder's.
 * @property {() => { status: number | null, stderr: string }} runAgain With nothing in the way, and without putting the folder back.
 * @property {() => Promise<string>} observe What is there now.
 * @property {() => number} countDrafts
 */

/**
 * Learns what a command does when nothing fails.
 *
 * @param {string} root @param {string} backend @param {MutatingCommand} command
 * @returns {Promise<Victim>}
 */
export async function createVictim(root, backend, { name, first = false, ...command }) {
  const folder = join(root, "work");
  const template = join(root, "template");
  const args = command.args(backend);
  const place = { storagePath: join(folder, ".workflow/secrets"), env: environment(folder) };

  function reset() {
    rmSync(folder, { recursive: true, force: true });
    spawnSync("cp", ["-a", template, folder]);
  }

  async function observe() {
    const state = await readState(place);
    const copy = join(folder, "copy");
    return JSON.stringify({
      backend: state.secrets.length === 0 ? "" : state.backend,
      secrets: describe(state.secrets),
      copy: existsSync(copy) ? await readBackup(copy) : "",
      // Of the first command: to make the key is not yet to store the secret.
      hasOldKey: first || keyIn(folder) === keyIn(template),
      isUnderOtherKey: await opensWith(join(folder, OTHER_KEY)),
      keepsOldKey: first || keysIn(folder).includes(keyIn(template)),
    });
  }

  /** @param {string} keyFile */
  async function opensWith(keyFile) {
    const { keys, secrets } = await openSecretsManager({ ...place, keyFile, create: false });
    const opens = await keys.keyring().then(
      () => true,
      () => false,
    );
    await secrets.close();
    return opens;
  }

  /** @param {string} file */
  async function readBackup(file) {
    return await inFolder(async (elsewhere) => {
      const other = { ...place, storagePath: join(elsewhere, "secrets") };
      await restoreBackup(other, file);
      return describe((await readState(other)).secrets);
    });
  }

  /** @param {Point} point @param {string} fault */
  async function run({ call, ordinal }, fault) {
    const inject = `${call}:${fault}:when=${ordinal}`;
    for (let attempt = 1; ; attempt++) {
      reset();
      const outcome = await traced(folder, args, { calls: CALLS, input: INPUT, inject });
      const injected = outcome.lines.find((line) => line.includes("(INJECTED)")) ?? null;
      const hit = outcome.signal === "SIGKILL" && !outcome.hung ? (outcome.lines.at(-1) ?? null) : injected;
      if (hit !== null || attempt === ATTEMPTS) return { outcome, hit };
    }
  }

  mkdirSync(folder);
  await completeFolder(folder, backend, first);
  spawnSync("cp", ["-a", folder, template]);
  const before = await observe();
  reset();
  const { points, status, stderr } = await traced(folder, args, { calls: CALLS, input: INPUT });
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`);
  const after = await observe();
  if (after === before) throw new Error(`${name} changes nothing`);
  return {
    name: `${backend}, ${name}`,
    before,
    after,
    points,
    run,
    runAgain: () => ak(folder, args, { input: INPUT }),
    observe,
    countDrafts: () => everythingIn(folder).filter((path) => path.endsWith(".draft")).length,
  };
}

/** @param {string} folder */
function keyIn(folder) {
  return readFileSync(join(folder, "home/.autokestra/secret.key"), "utf8");
}

/** @param {string} folder */
function keysIn(folder) {
  const keys = join(folder, "home/.autokestra");
  return readdirSync(keys).map((name) => readFileSync(join(keys, name), "utf8"));
}
