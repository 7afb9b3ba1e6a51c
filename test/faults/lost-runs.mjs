// K12: runs are killed with SIGKILL at random moments, again and again, and go on with `runs resume` until they have succeeded.
// A task that a reader has seen as finished does not run again, its output is there, and no secret is in the files of the history.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { countCanary } from "./support/find-canary.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, CLI, environment, inFolder, NODE } from "./support/sandbox.mjs";

const KILLS = process.argv.includes("--short") ? 12 : 300;
const TASKS = 12;
/** How long a run of this size takes at least, with a start of the command. */
const LONGEST_MS = 1500;
/** Beyond that, a run is not killed any more. */
const KILLS_PER_RUN = 6;

const random = createRandom(SEED);
const figures = { kills: 0, inTime: 0, acknowledged: 0, twice: 0, lost: 0, canaries: 0, unfinished: 0 };

/** A chain of tasks, each of which writes its name into a file and returns its number and the output before. @param {string} folder */
function writeWorkflow(folder) {
  const tasks = Array.from({ length: TASKS }, (_, at) => {
    const before = at === 0 ? "start" : `{{ tasks.t${at - 1}.output.stdout }}`;
    const needs = at === 0 ? "" : `, needs: [t${at - 1}]`;
    const script = `echo t${at} >> ran; sleep 0.03; printf '%s.${at}' "$BEFORE"; : "$SECRET"`;
    const env = `{ BEFORE: "${before}", SECRET: "{{ secrets.CANARY }}" }`;
    return `  - { id: t${at}${needs}, type: core/shell.run, inputs: { command: sh, args: [-c, ${JSON.stringify(script)}], env: ${env} } }\n`;
  });
  writeFileSync(join(folder, "w.yaml"), `apiVersion: v1\nid: w\nsecrets: [CANARY]\ntasks:\n${tasks.join("")}`);
}

/**
 * Runs a command, and kills it after a time. Returns the tasks that it has told to have finished in it.
 *
 * @param {string} folder
 * @param {readonly string[]} args
 * @param {number | null} afterMs null to let it end
 */
async function killed(folder, args, afterMs) {
  const [program = "", ...options] = NODE;
  const child = spawn(program, [...options, CLI, ...args], {
    cwd: folder,
    env: environment(folder),
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (/** @type {Buffer} */ chunk) => (text += chunk.toString()));
  const ended = once(child, "close");
  if (afterMs !== null) {
    await Promise.race([ended, setTimeout(afterMs)]);
    figures.kills += 1;
    if (child.kill("SIGKILL")) figures.inTime += 1;
  }
  const [code] = await ended;
  const lines = text.split("\n").slice(0, -1);
  const finished = lines
    .map((line) => JSON.parse(line))
    .filter(({ event, message }) => event === "task.finished" && message.startsWith("succeeded in"));
  return { code, finished: finished.map(({ task }) => String(task)) };
}

/** @param {string} folder */
const ran = (folder) => {
  try {
    return readFileSync(join(folder, "ran"), "utf8").trim().split("\n");
  } catch {
    return [];
  }
};

/** @param {string} folder @param {string} canary */
async function killOneRun(folder, canary) {
  /** @type {Set<string>} */
  const acknowledged = new Set();
  const find = () => {
    const place = join(folder, ".workflow");
    const files = readdirSync(place).filter((name) => name.startsWith("runs.db"));
    figures.canaries += files.reduce((sum, name) => sum + countCanary(readFileSync(join(place, name)), canary), 0);
  };
  let args = ["run", "w.yaml", "--json"];
  for (let kill = 0; ; kill++) {
    const before = ran(folder).length;
    const { code, finished } = await killed(folder, args, kill < KILLS_PER_RUN ? random() * LONGEST_MS : null);
    figures.twice += ran(folder)
      .slice(before)
      .filter((task) => acknowledged.has(task)).length;
    for (const task of finished) acknowledged.add(task);
    find();
    const [recorded] = JSON.parse(ak(folder, ["runs", "list", "--json"]).stdout);
    if (recorded?.status === "success") break;
    if (kill > KILLS_PER_RUN && code !== 0) {
      figures.unfinished += 1;
      return;
    }
    // One that was killed before it was recorded begins anew.
    if (recorded !== undefined) args = ["runs", "resume", "last", "--json"];
  }
  figures.acknowledged += acknowledged.size;
  const events = ak(folder, ["runs", "show", "last", "--json"]).stdout.trimEnd().split("\n");
  const { tasks } = JSON.parse(events.at(-1) ?? "{}");
  const expected = Array.from({ length: TASKS }, (_, at) => `.${at}`).join("");
  if (tasks[`t${TASKS - 1}`]?.output?.stdout !== `start${expected}`) figures.lost += 1;
}

async function killRun() {
  await inFolder(async (folder) => {
    const canary = randomBytes(24).toString("base64url");
    writeWorkflow(folder);
    ak(folder, ["secrets", "set", "CANARY"], { input: canary });
    await killOneRun(folder, canary);
  });
}
// Each run takes as many kills as it may have, or ends before.
for (let run = 0; figures.kills < KILLS && run < KILLS; run++) await inRound(`run ${run}`, killRun);
const { kills, inTime, acknowledged, twice, lost, canaries, unfinished } = figures;
const pass = inTime > 0 && acknowledged > 0 && twice + lost + canaries + unfinished === 0;
const counts = `${twice} finished tasks run twice, ${lost} lost results, ${canaries} canaries, ${unfinished} runs without an end`;
const figure = `${kills} kills, ${inTime} in time, ${acknowledged} tasks told as finished: ${counts}; seed ${SEED}`;
printRows([{ id: "K12", pass, figure }]);
