// K12: a run is killed with SIGKILL at one certain moment, and goes on with `runs resume` or through a server. Each task has then run as
// often as docs/workflows.md says, and the run has ended as one that nothing has stopped: its states, outputs and exit code.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { countCanary } from "./support/find-canary.mjs";
import { keyed, placeOf } from "./support/installation.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { CLI, inFolder, NODE } from "./support/sandbox.mjs";
import { ask, makeToken, startServer } from "./support/served.mjs";
import { until } from "./support/until.mjs";

const IS_SHORT = process.argv.includes("--short");
/** Only the situations with this in their name. */
const ONLY = process.argv.find((arg) => arg.startsWith("--only="))?.slice("--only=".length) ?? "";

/** Loaded into the command: kills it when it has told an event. */
const KILLED_AT_EVENT = new URL("support/killed-at-event.mjs", import.meta.url).href;

/** A program that was started just before the kill, without its watchdog yet, ends with its folder. */
const WAIT = "touch at; while test -e at && ! test -e go; do sleep 0.02; done;";

/** A task that writes its name into a file, waits there if it is told to, and returns its name. */
const task = (/** @type {string} */ id, { waits = false, after = "", more = "", name = id, before = "" } = {}) => {
  const wait = waits ? `if ! test -e go; then ${WAIT} fi;` : "";
  const script = `echo ${name} >> ran; ${before} ${wait} ${after} printf '%s' ${name}; : "$SECRET"`;
  const inputs = `{ command: sh, args: [-c, ${JSON.stringify(script)}], env: { SECRET: "{{ secrets.CANARY }}" } }`;
  return `{ id: ${id}, type: core/shell.run, ${more} inputs: ${inputs} }`;
};
const FAILS = "exit 3;";
const list = (/** @type {string[]} */ ...tasks) => tasks.map((each) => `\n  - ${each}`).join("");
const CHILD = "core/workflow.call, inputs: { file: ./child.yaml }";

/**
 * @typedef {object} Situation
 * @property {string} workflow what follows `tasks:`
 * @property {string} [child] the same of a called workflow
 * @property {string | { event: string, task?: string }} [moment] the process is killed when this file is there, or when it has told this
 * event. Default: `at`
 * @property {readonly string[]} [finished] and not before it has told that these tasks have finished
 * @property {boolean} [again] whether the run that goes on is killed, too, and goes on once more
 * @property {NodeJS.Signals} [signal] is sent before, when the file `at` is there
 * @property {Record<string, number | readonly [number, number]>} ran how often each task runs in all; a range where the moment is not exact
 * @property {Record<string, string>} [states] how tasks end, where that is not as without the kill
 */

const abc = (/** @type {object} */ of) =>
  list(task("a"), task("b", { more: "needs: [a],", ...of }), task("c", { more: "needs: [b]," }));
const eachItem = (/** @type {string} */ then, more = "") =>
  list(
    `{ id: a, type: core/shell.run, forEach: ["0", "1", "2", "3", "4", "5"], ${more} inputs: { command: sh, args: [-c, ${JSON.stringify(`echo a$ITEM >> ran; ${then} printf %s "$ITEM"; : "$SECRET"`)}], env: { ITEM: "{{ item }}", SECRET: "{{ secrets.CANARY }}" } } }`,
    task("b", { more: "needs: [a]," }),
  );
const waitAt = (/** @type {string} */ at) => `if test $ITEM = ${at} && ! test -e go; then ${WAIT} fi;`;
const items = (/** @type {Record<string, number | readonly [number, number]>} */ changed) => ({
  a0: 1,
  a1: 1,
  a2: 1,
  a3: 1,
  a4: 1,
  a5: 1,
  b: 1,
  ...changed,
});

/** @type {Record<string, Situation>} */
const SITUATIONS = {
  "before the first task": {
    workflow: abc({}),
    moment: { event: "run.started" },
    ran: { a: [1, 2], b: [1, 2], c: [1, 2] },
  },
  "between two tasks": {
    workflow: abc({}),
    moment: { event: "task.finished", task: "a" },
    ran: { a: 1, b: [1, 2], c: [1, 2] },
  },
  "after the last task": {
    workflow: abc({}),
    moment: { event: "task.finished", task: "c" },
    ran: { a: 1, b: 1, c: 1 },
  },
  "within a task": { workflow: abc({ waits: true }), ran: { a: 1, b: 2, c: 1 } },
  "within a task, twice": { workflow: abc({ waits: true }), again: true, ran: { a: 1, b: 3, c: 1 } },
  "within one of three tasks at once": {
    workflow: list(task("a"), task("b"), task("c", { waits: true }), task("d", { more: "needs: [a, b, c]," })),
    finished: ["a", "b"],
    ran: { a: 1, b: 1, c: 2, d: 1 },
  },
  "within a task, after one that was skipped": {
    workflow: list(task("s", { more: "if: 1 == 2," }), task("a", { waits: true })),
    ran: { a: 2 },
  },
  "within a task, after a failure that the run survives": {
    workflow: list(
      task("s", { after: FAILS, more: "continueOnError: true," }),
      task("a", { waits: true, more: "needs: [s]," }),
    ),
    ran: { s: 1, a: 2 },
  },
  "within a task that must not run again": {
    workflow: `${abc({ waits: true, more: "needs: [a], retry: never," })}\nfinally:${list(task("f"))}`,
    ran: { a: 1, b: 1, f: 1 },
    states: { a: "success", b: "failed", c: "skipped", f: "success" },
  },
  "after a task that must not run again": {
    workflow: list(task("a", { more: "retry: never," }), task("b", { waits: true, more: "needs: [a]," })),
    ran: { a: 1, b: 2 },
  },
  "within `onFailure`": {
    workflow: `${list(task("a", { after: FAILS }))}\nonFailure:${list(task("h", { waits: true }))}\nfinally:${list(task("f"))}`,
    ran: { a: 2, h: 2, f: 1 },
  },
  "within the second task of `onFailure`": {
    workflow: `${list(task("a", { after: FAILS }))}\nonFailure:${list(task("g"), task("h", { waits: true }))}`,
    ran: { a: 2, g: 2, h: 2 },
  },
  "within `finally`": {
    workflow: `${abc({})}\nfinally:${list(task("f", { waits: true }))}`,
    ran: { a: 1, b: 1, c: 1, f: 2 },
  },
  "within the second task of `finally`": {
    workflow: `${abc({})}\nfinally:${list(task("e"), task("f", { waits: true }))}`,
    ran: { a: 1, b: 1, c: 1, e: 1, f: 2 },
  },
  "within `finally` after a failure": {
    workflow: `${list(task("a", { after: FAILS }))}\nonFailure:${list(task("h"))}\nfinally:${list(task("f", { waits: true }))}`,
    ran: { a: 2, h: 2, f: 2 },
  },
  "within item 2 of 6": { workflow: eachItem(waitAt("2")), ran: items({ a2: 2 }) },
  "within item 3 of 6, three at once": {
    workflow: eachItem(waitAt("3"), "concurrency: 3,"),
    finished: ["a[0]", "a[1]", "a[2]", "a[4]", "a[5]"],
    ran: items({ a3: 2 }),
  },
  "within item 2, after one that has failed": {
    workflow: eachItem(`test $ITEM = 1 && exit 4; ${waitAt("2")}`, "continueOnError: true,"),
    ran: items({ a2: 2 }),
  },
  "within item 4, after one that was skipped": {
    workflow: eachItem(waitAt("4"), 'if: item != "1",'),
    ran: { a0: 1, a2: 1, a3: 1, a4: 2, a5: 1, b: 1 },
  },
  "after the items": {
    workflow: eachItem(""),
    moment: { event: "task.finished", task: "a" },
    ran: items({ b: [1, 2] }),
  },
  "within a called workflow": {
    workflow: list(task("a"), `{ id: call, needs: [a], type: ${CHILD} }`, task("z", { more: "needs: [call]," })),
    child: list(task("x"), task("y", { waits: true, more: "needs: [x]," })),
    ran: { a: 1, x: 1, y: 2, z: 1 },
  },
  "within the `finally` of a called workflow": {
    workflow: list(`{ id: call, type: ${CHILD} }`),
    child: `${list(task("x"))}\nfinally:${list(task("e"), task("f", { waits: true }))}`,
    ran: { x: 1, e: 1, f: 2 },
  },
  "after a called workflow": {
    workflow: list(`{ id: call, type: ${CHILD} }`, task("z", { waits: true, more: "needs: [call]," })),
    child: list(task("x"), task("y", { more: "needs: [x]," })),
    ran: { x: 1, y: 1, z: 2 },
  },
  "within a called workflow of an item": {
    workflow: list(
      `{ id: call, forEach: ["0", "1", "2"], type: core/workflow.call, inputs: { file: ./child.yaml, inputs: { n: "{{ item }}" } } }`,
    ),
    child: list(
      `{ id: x, type: core/shell.run, inputs: { command: sh, args: [-c, ${JSON.stringify(`echo x$ITEM >> ran; ${waitAt("1")} printf x$ITEM`)}], env: { ITEM: "{{ inputs.n }}" } } }`,
    ),
    ran: { x0: 1, x1: 2, x2: 1 },
  },
  "while a large output is masked": {
    workflow: list(
      task("a", { after: `for i in $(seq 20000); do printf '%s and ' "$SECRET"; done; touch written;` }),
      task("b", { more: "needs: [a]," }),
    ),
    moment: "written",
    ran: { a: [1, 2], b: [1, 2] },
  },
  "while held output waits": {
    workflow: list(
      task("a", { waits: true, before: "echo early;", more: "secretOutputs: [stdout]," }),
      task("b", { more: "needs: [a]," }),
    ),
    ran: { a: 2, b: 1 },
  },
  "while a time limit ends a task": {
    workflow: list(
      task("a"),
      task("b", { waits: true, before: `trap 'touch limit; ${WAIT}' TERM;`, more: "needs: [a], timeoutSeconds: 10," }),
    ),
    moment: "limit",
    ran: { a: 1, b: 2 },
  },
  "while a retry waits": {
    workflow: list(
      task("a", { after: "if ! test -e go; then exit 5; fi;", more: "retry: { max: 2, backoffSeconds: 30 }," }),
      task("b", { more: "needs: [a]," }),
    ),
    moment: { event: "task.retried" },
    ran: { a: 2, b: 1 },
  },
  "within the second attempt": {
    workflow: list(
      task("a", {
        after: "test -e first || { touch first; exit 5; };",
        more: "retry: { max: 2, backoffSeconds: 0.1 },",
      }),
      task("b", { waits: true, more: "needs: [a]," }),
    ),
    ran: { a: 2, b: 2 },
  },
  "within `finally` after it was cancelled": {
    workflow: `${abc({ waits: true })}\nfinally:${list(task("f", { after: "if ! test -e go; then touch last; sleep 60; fi;" }))}`,
    signal: "SIGTERM",
    moment: "last",
    ran: { a: 1, b: 2, c: 1, f: 2 },
  },
};

/** @param {string} folder @param {readonly string[]} args @param {{ event: string, task?: string } | null} [killedAt] */
function start(folder, args, killedAt = null) {
  const [program = "", ...options] = NODE;
  if (killedAt !== null) options.push("--import", KILLED_AT_EVENT);
  const child = spawn(program, [...options, CLI, ...args], {
    cwd: folder,
    env: { ...keyed(folder), ...(killedAt && { KILLED_AT: JSON.stringify(killedAt) }) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const ended = once(child, "close").then(([code]) => /** @type {number | null} */ (code));
  const events = () =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { child, ended, events };
}

/** @param {string} folder @param {Situation} situation @param {readonly string[]} args */
async function killOnce(folder, { moment = "at", finished = [], signal }, args) {
  const run = start(folder, args, typeof moment === "string" ? null : moment);
  if (signal !== undefined) {
    await until(() => existsSync(join(folder, "at")), "at");
    run.child.kill(signal);
  }
  if (typeof moment === "string") {
    await until(() => existsSync(join(folder, moment)), moment);
    const told = (/** @type {string} */ id) =>
      run.events().some(({ event, task: of }) => event === "task.finished" && of === id);
    await until(() => finished.every(told), finished.join(", "));
    run.child.kill("SIGKILL");
  }
  await run.ended;
  if (run.child.signalCode !== "SIGKILL") throw new Error(`the run ended before ${JSON.stringify(moment)}`);
  return run.events();
}

/** What counts of how a run has ended. @param {any} finished */
const outcomeOf = ({ status, tasks }) => ({
  status,
  tasks: Object.fromEntries(
    Object.entries(tasks).map(([id, { status: state, output, error }]) => [
      id,
      [state, without(output), error?.code ?? null],
    ]),
  ),
});
/** @param {any} output @returns {any} */
const without = (output) => {
  if (Array.isArray(output)) return output.map(without);
  const { durationMs: _, ...others } = output ?? {};
  return output === null || typeof output !== "object" ? output : others;
};

/** @param {string} folder @param {Situation} situation @param {string} canary */
async function fill(folder, { workflow, child }, canary) {
  const manager = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder) });
  await manager.secrets.create({ name: "CANARY", type: "apiKey", fields: { value: canary } });
  await manager.secrets.close();
  const head = `apiVersion: v1\nsecrets: [CANARY]\n`;
  writeFileSync(join(folder, "w.yaml"), `${head}id: w\ntasks:${workflow}\n`);
  const inputs = "inputs: { n: { type: string, default: none } }\n";
  if (child !== undefined) writeFileSync(join(folder, "child.yaml"), `${head}${inputs}id: child\ntasks:${child}\n`);
}

/** @param {string} folder @returns {Promise<{ code: number | null, finished: any }>} */
async function resume(folder) {
  const run = start(folder, ["runs", "resume", "last", "--json"]);
  const code = await run.ended;
  return { code, finished: run.events().at(-1) };
}

/** @type {typeof resume} */
async function resumeByServer(folder) {
  const token = await makeToken(folder);
  const server = await startServer(folder, ["--workflows", folder]);
  try {
    const get = async (/** @type {string} */ path) => (await ask(server.address, token, path)).body;
    const [{ execution }] = await get("/api/runs");
    const { status, body } = await ask(server.address, token, `/api/runs/${execution}/resume`, { body: {} });
    if (status !== 202) throw new Error(`resume is answered with ${status}: ${JSON.stringify(body)}`);
    const end = async () => (await get(`/api/runs/${execution}`)).status;
    await until(async () => !/queued|running|lost/.test(await end()), "the end");
    const finished = (await get(`/api/runs/${execution}/events`)).at(-1);
    return { code: finished.status === "success" ? 0 : 1, finished };
  } finally {
    server.child.kill("SIGTERM");
    await server.ended;
  }
}

/** @param {string} folder */
const ran = (folder) => {
  /** @type {Record<string, number>} */
  const counts = {};
  const lines = existsSync(join(folder, "ran")) ? readFileSync(join(folder, "ran"), "utf8").trim().split("\n") : [];
  for (const line of lines) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
};

/** @param {Situation} situation @param {typeof resume} goOn */
async function tryOne(situation, goOn) {
  const canary = randomBytes(24).toString("base64url");
  const args = ["run", "w.yaml", "--json"];
  const reference = await inFolder(async (folder) => {
    await fill(folder, situation, canary);
    writeFileSync(join(folder, "go"), "");
    const run = start(folder, args);
    return { code: await run.ended, outcome: outcomeOf(run.events().at(-1)) };
  });
  return await inFolder(async (folder) => {
    await fill(folder, situation, canary);
    const told = await killOnce(folder, situation, args);
    const wrong = [];
    if (situation.again) {
      rmSync(join(folder, "at"));
      await killOnce(folder, situation, ["runs", "resume", "last", "--json"]);
    }
    writeFileSync(join(folder, "go"), "");
    const { code, finished } = await goOn(folder);
    const outcome = outcomeOf(finished);
    const counts = ran(folder);
    for (const [id, expected] of Object.entries(situation.ran)) {
      const [least, most] = typeof expected === "number" ? [expected, expected] : expected;
      const count = counts[id] ?? 0;
      if (count < least || count > most) wrong.push(`${id} has run ${count} times`);
    }
    for (const id of Object.keys(counts)) if (!(id in situation.ran)) wrong.push(`${id} has run`);
    if (situation.states === undefined) {
      if (!isDeepStrictEqual(outcome, reference.outcome)) {
        wrong.push(`ended as ${JSON.stringify(outcome)}, not as ${JSON.stringify(reference.outcome)}`);
      }
      if (code !== reference.code) wrong.push(`exit code ${code}, not ${reference.code}`);
    } else {
      const states = Object.fromEntries(Object.entries(outcome.tasks).map(([id, [state]]) => [id, state]));
      if (!isDeepStrictEqual(states, situation.states)) wrong.push(`ended as ${JSON.stringify(states)}`);
      if (code !== 1) wrong.push(`exit code ${code}`);
    }
    const place = join(folder, ".workflow");
    const files = readdirSync(place).filter((name) => name.startsWith("runs.db"));
    const canaries = files.reduce((sum, name) => sum + countCanary(readFileSync(join(place, name)), canary), 0);
    if (canaries > 0 || JSON.stringify([told, finished]).includes(canary)) wrong.push("the secret is shown");
    return wrong;
  });
}

const chosen = Object.entries(SITUATIONS).filter(
  ([name], index) => name.includes(ONLY) && (!IS_SHORT || index % 8 === 3),
);
const ways = { "runs resume": resume, "a server": resumeByServer };
/** @type {string[]} */
const faults = [];
for (const [name, situation] of chosen) {
  for (const [way, goOn] of Object.entries(ways)) {
    const wrong = (await inRound(`${name}, ${way}`, async () => await tryOne(situation, goOn))) ?? [];
    faults.push(...wrong.map((what) => `${name}, ${way}: ${what}`));
  }
}
const tried = chosen.length * Object.keys(ways).length;
const figure = `${tried} situations in which a run was killed and went on: ${faults.length} not as documented${faults.map((what) => `; ${what}`).join("")}`;
printRows([{ id: "K12", pass: tried > 0 && faults.length === 0, figure }]);
