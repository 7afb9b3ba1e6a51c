import { spawn } from "node:child_process";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { apply, countLost, emptyModel, isSame, KEPT } from "./model.mjs";
import { randomOperation } from "./random-operation.mjs";
import { readState } from "./read-state.mjs";
import { environment, everythingIn, NODE } from "./sandbox.mjs";

/** @import { Operation } from "./model.mjs" */
/** @import { Random } from "./random.mjs" */

/**
 * @typedef {object} KillFigures
 * @property {number} kills
 * @property {number} inTime Killed while it worked, not while it started or opened the store.
 * @property {number} acks
 * @property {number} lost Acknowledged versions that are gone.
 * @property {number} corrupt Places that cannot be read, or in which the doctor finds a failure.
 * @property {number} violations States that are neither the one before nor the one after the operation under way.
 * @property {number} refused Operations that failed although nothing was wrong.
 * @property {number} left Drafts of killed processes that nobody has swept.
 * @property {number} beside The same, of backups, whose folder nobody looks into again.
 */

/**
 * @typedef {object} KillOptions
 * @property {Random} random
 * @property {boolean} moves Migrations and backups too.
 * @property {number} start How long a process takes to start, and to make a store and the first secret, in milliseconds.
 * @property {KillFigures} figures
 */

/** @param {string} folder */
function environmentOf(folder) {
  return { ...environment(folder), WORKFLOW_SECRETS_KEEP_VERSIONS: String(KEPT) };
}

/** A process that executes one operation per line. @param {string} folder @param {string} backend */
export function startExecutor(folder, backend) {
  const [node = "", ...options] = NODE;
  const args = [...options, resolve("test/faults/support/executor.mjs"), folder, backend];
  const child = spawn(node, args, { env: environmentOf(folder), stdio: ["pipe", "pipe", "pipe"] });
  // It is killed while it is written to.
  child.stdin.on("error", () => undefined);
  const ended = new Promise((done) => child.on("close", done));
  return { child, ended };
}

/**
 * A place that is used by one process after the other, each of which is killed, and a model of what it must hold.
 *
 * @param {string} folder
 * @param {string} backend What it begins with.
 * @param {KillOptions} options
 */
export function createKilledPlace(folder, backend, { random, moves, start, figures }) {
  let model = emptyModel(backend);
  let serial = 0;

  function nextOperation() {
    serial += 1;
    return randomOperation(random, model, { serial, moves });
  }

  /** Works until it is killed. @returns {Promise<Operation>} What was under way. */
  async function workAndKill() {
    const { child, ended } = startExecutor(folder, model.backend);
    // Half of the kills come while the process starts and opens the store, half while it works.
    const isEarly = random() < 0.5;
    /** @param {number} delay */
    const killAfter = (delay) => setTimeout(() => child.kill("SIGKILL"), delay);
    if (isEarly) killAfter(start * (0.3 + random()));
    let errors = "";
    child.stderr.on("data", (chunk) => (errors += chunk));
    let underWay = nextOperation();
    const tell = () => child.stdin.write(`${JSON.stringify(underWay)}\n`);
    tell();
    for await (const line of createInterface({ input: child.stdout })) {
      if (line === "open") {
        figures.inTime += 1;
        if (!isEarly) killAfter(random() * start);
        continue;
      }
      figures.acks += 1;
      model = apply(model, underWay);
      underWay = nextOperation();
      tell();
    }
    await ended;
    if (child.signalCode !== "SIGKILL") {
      figures.refused += 1;
      console.log(`${summary(underWay)} failed: ${errors}`);
    }
    return underWay;
  }

  /** @param {Operation} underWay */
  async function verify(underWay) {
    const after = apply(model, underWay);
    const found = await readState({ storagePath: join(folder, "secrets"), env: environmentOf(folder) });
    // In this order: a backup that was not acknowledged is none.
    if (isSame(found, model)) return;
    if (isSame(found, after)) {
      model = after;
      return;
    }
    figures.violations += 1;
    figures.lost += Math.min(countLost(found, model), countLost(found, after));
    console.log(`neither before nor after ${summary(underWay)}`);
    model = { ...model, ...found };
  }

  return {
    async killAndVerify() {
      const underWay = await workAndKill();
      figures.kills += 1;
      try {
        await verify(underWay);
      } catch (error) {
        figures.corrupt += 1;
        console.log(`after ${summary(underWay)}: ${String(error)}`);
      }
    },

    /** Lets one process live, and counts what it has not swept. */
    async sweep() {
      const { child, ended } = startExecutor(folder, model.backend);
      child.stdin.end(`${JSON.stringify({ kind: "set", serial: serial + 1, values: { LAST: "value" } })}\n`);
      await ended;
      const left = everythingIn(folder).filter((path) => path.endsWith(".draft"));
      for (const path of left) {
        console.log(`left behind: ${path.slice(folder.length)}`);
        figures[dirname(path) === folder ? "beside" : "left"] += 1;
      }
    },
  };
}

/** @param {Operation} operation */
function summary(operation) {
  return JSON.stringify(operation).slice(0, 200);
}
