// Servers of one concurrency group over one folder, from the built command, killed and started again at random: no two runs of the group go on
// at any time, none is lost, and all end.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createRandom, pick, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { ask, makeToken, startServer } from "./support/served.mjs";
import { until } from "./support/until.mjs";

const IS_SHORT = process.argv.includes("--short");
const ROUNDS = IS_SHORT ? 2 : 6;
const KILLS = IS_SHORT ? 5 : 40;
const random = createRandom(SEED);

/** @typedef {Awaited<ReturnType<typeof startServer>>} Server */

/**
 * Reads the file to which the tasks append. Its order is that in which it was written, on any machine: a task writes `begin RUN SERVER` and
 * `end RUN SERVER`, and who kills a server writes `kill SERVER` before. What goes on is what a server that is not killed has begun and not ended.
 *
 * @param {readonly string[]} lines
 */
function readRuns(lines) {
  /** The server of each run that goes on. @type {Map<string, string>} */
  const going = new Map();
  const killed = new Set();
  const begun = new Set();
  const ended = new Set();
  const overlaps = [];
  for (const line of lines) {
    const [what, name = "", server = ""] = line.split(" ");
    if (what === "kill") {
      killed.add(name);
      for (const [run, its] of going) if (its === name) going.delete(run);
    } else if (what === "end") {
      ended.add(name);
      // A run that goes on elsewhere is not ended by the shell that it had before.
      if (going.get(name) === server) going.delete(name);
    } else if (!killed.has(server) && server !== "1") {
      // A shell that its server has left behind writes later than it should, and is nobody's run any more.
      if (going.size > 0) overlaps.push(`${name} beside ${[...going.keys()].join(", ")}`);
      going.set(name, server);
      begun.add(name);
    }
  }
  return { begun, ended, overlaps };
}

/** What reads the proof has to see what is wrong. */
function checkReader() {
  const wrong = readRuns(["begin a 7", "begin b 8", "end b 8", "end a 7"]).overlaps.length;
  const right = readRuns(["begin a 7", "kill 7", "begin b 8", "begin c 7", "end a 7", "end b 8", "begin d 8"]).overlaps
    .length;
  if (wrong !== 1 || right !== 0) throw new Error("overlaps are not seen as they are");
}

/** @param {string} folder */
function fill(folder) {
  const workflows = join(folder, "workflows");
  mkdirSync(workflows);
  const log = join(folder, "log");
  writeFileSync(log, "");
  const script = 'echo "begin $1 $PPID" >> "$2"; sleep "$3"; echo "end $1 $PPID" >> "$2"';
  const args = ["-c", script, "sh", "{{ execution.id }}", log, "{{ inputs.seconds }}"];
  const workflow = {
    apiVersion: "v1",
    id: "grouped",
    inputs: { seconds: { type: "string" } },
    concurrency: { group: "one", busy: "queue" },
    tasks: [{ id: "a", type: "core/shell.run", inputs: { command: "sh", args } }],
  };
  writeFileSync(join(workflows, "grouped.yaml"), JSON.stringify(workflow));
  const server = "{ maxRuns: 4, requestsPerMinute: 1000000 }";
  writeFileSync(join(folder, "autokestra.config.yaml"), `server: ${server}\nruns: { keepRuns: 100000 }\n`);
  const lines = () => readFileSync(log, "utf8").split("\n").filter(Boolean);
  return { args: ["--workflows", workflows], log, lines };
}

/** @param {string} folder */
async function killGroup(folder) {
  const { args, log, lines } = fill(folder);
  const token = await makeToken(folder);
  const start = async () => await startServer(folder, args);
  const count = random() < 0.5 ? 2 : 3;
  const servers = await Promise.all(Array.from({ length: count }, start));
  /** The runs that a client was told of. @type {string[]} */
  const told = [];
  /** Those of them that have ended well. @type {Set<string>} */
  const done = new Set();
  let isOver = false;

  async function beClient() {
    for (;;) {
      const body = { workflow: "grouped", inputs: { seconds: (random() / 10).toFixed(3) } };
      // A server that is killed answers nothing: whoever asked it knows of no run.
      const answer = await ask(pick(random, servers).address, token, "/api/runs", { body }).catch(() => null);
      if (answer?.status === 202) told.push(answer.body.execution);
      // A few wait on each server, whatever happens to the others.
      await until(() => isOver || told.length - readRuns(lines()).ended.size < 4 * count, "runs that end");
      if (isOver) return;
    }
  }

  /** Waits for something, and lets the runs go on meanwhile that were lost with their servers. @param {() => boolean} isThere */
  async function resumeUntil(isThere) {
    await until(async () => {
      const [{ address } = { address: "" }] = servers;
      for (const id of told.filter((each) => !done.has(each))) {
        const { status } = (await ask(address, token, `/api/runs/${id}`)).body;
        if (status === "success") done.add(id);
        // Another one may have the group meanwhile: it waits then, as all others.
        if (status === "lost") await ask(address, token, `/api/runs/${id}/resume`, { body: {} });
      }
      return isThere();
    }, "runs of the group");
  }

  const clients = Promise.all([beClient(), beClient()]);
  // It is waited for in the end, and told there.
  clients.catch(() => undefined);

  for (let kill = 0; kill < KILLS; kill++) {
    const before = readRuns(lines()).begun.size;
    const more = 1 + Math.floor(random() * 4);
    await resumeUntil(() => readRuns(lines()).begun.size >= before + more);
    await setTimeout(random() * 100);
    const index = Math.floor(random() * count);
    const victim = servers[index];
    if (victim === undefined) throw new Error("no server");
    appendFileSync(log, `kill ${victim.child.pid}\n`);
    victim.child.kill("SIGKILL");
    await victim.ended;
    servers[index] = await start();
  }
  isOver = true;
  await clients;
  await resumeUntil(() => done.size === told.length);
  for (const { child, ended } of servers) {
    child.kill("SIGTERM");
    await ended;
  }
  const { begun, ended, overlaps } = readRuns(lines());
  const right = told.filter((id) => done.has(id) && begun.has(id) && ended.has(id)).length;
  return { kills: KILLS, told: told.length, right, overlaps };
}

checkReader();
const rounds = [];
for (let round = 0; round < ROUNDS; round++) {
  rounds.push(await inRound(`round ${round}`, async () => await inFolder(killGroup)));
}
const whole = rounds.flatMap((round) => round ?? []);
const sum = (/** @type {(round: (typeof whole)[number]) => number} */ of) =>
  whole.reduce((total, each) => total + of(each), 0);
const [kills, told, right] = [sum((each) => each.kills), sum((each) => each.told), sum((each) => each.right)];
const overlaps = whole.flatMap((each) => each.overlaps);
for (const overlap of overlaps) console.log(`at the same time: ${overlap}`);
printRows([
  {
    id: "RK3",
    figure: `${kills} kills of two or three servers of one group (seed ${SEED}): ${told} runs were told, ${right} have ended well, ${overlaps.length} began beside another one`,
    pass: told > 0 && right === told && overlaps.length === 0,
  },
]);
