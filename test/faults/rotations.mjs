// D3: `rotate-key --data-key` is killed or interrupted at random moments, and killed at every k-th system call that changes the
// disk. Every secret stays readable, and running it again finishes it.
// K14: values are read by other processes while keys are rotated.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "./support/outcome-of.mjs";
import { SEED } from "./support/random.mjs";
import {
  endAtRandom,
  fill,
  finish,
  inWords,
  isEnough,
  isGood,
  noFigures,
  projectIn,
  rotate,
  SECRETS,
  timeOf,
  verify,
} from "./support/rotation.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { CLI, inFolder } from "./support/sandbox.mjs";
import { HAS_STRACE, traced } from "./support/strace.mjs";

/** @import { Project } from "./support/rotation.mjs" */

const isShort = process.argv.includes("--short");
const ENDS = isShort ? 6 : 300;
/** With --short, only every nth k. */
const STEP = isShort ? 25 : 1;
const CALLS =
  "write,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,pwrite64,ftruncate,mkdir,rmdir";
const DATA_KEY = ["--data-key"];

/** @param {string} backend */
async function killAtRandom(backend) {
  const figures = noFigures();
  await inFolder(async (folder) => {
    const project = projectIn(folder, backend);
    await fill(project);
    const whole = await timeOf(project, DATA_KEY);
    while (!isEnough(figures, ENDS)) {
      await inRound(`${backend}, end ${figures.ends}`, async () => {
        await endAtRandom(project, DATA_KEY, whole, figures);
        await verify(project, figures);
        if (figures.ends % 5 === 0) await finish(project, DATA_KEY, figures);
      });
    }
    await finish(project, DATA_KEY, figures);
  });
  return figures;
}

/** @param {string} backend */
async function killAtCalls(backend) {
  const figures = { ...noFigures(), points: 0, missed: 0 };
  await inFolder(async (root) => {
    const folder = join(root, "work");
    const template = join(root, "template");
    const project = projectIn(folder, backend);
    const args = ["secrets", "rotate-key", "--quiet", "--storage-backend", backend, ...DATA_KEY];
    mkdirSync(folder);
    await fill(project);
    spawnSync("cp", ["-a", folder, template]);
    const { points } = await traced(folder, args, { calls: CALLS });
    for (const { call, ordinal } of points.filter((_, k) => k % STEP === 0)) {
      await inRound(`${backend}, ${call} ${ordinal}`, async () => {
        rmSync(folder, { recursive: true, force: true });
        spawnSync("cp", ["-a", template, folder]);
        const { signal } = await traced(folder, args, { calls: CALLS, inject: `${call}:signal=KILL:when=${ordinal}` });
        figures[signal === "SIGKILL" ? "points" : "missed"] += 1;
        await verify(project, figures);
        await finish(project, DATA_KEY, figures);
      });
    }
  });
  return figures;
}

/** Other processes read while keys are rotated. @param {string} backend */
async function readWhileRotating(backend) {
  const figures = { reads: 0, failed: 0 };
  await inFolder(async (folder) => {
    const project = projectIn(folder, backend);
    await fill(project);
    for (let round = 0; round < (isShort ? 2 : 20); round++) {
      const rotation = new AbortController();
      const rotating = rotate(project, DATA_KEY).finally(() => rotation.abort());
      while (!rotation.signal.aborted) {
        const index = figures.reads % SECRETS;
        const { status, stdout } = await get(project, `S${index}`);
        figures.reads += 1;
        if (status === 0 && stdout === `value ${index}`) continue;
        figures.failed += 1;
        console.log(backend, `S${index}`, status, stdout);
      }
      await rotating;
    }
  });
  return figures;
}

/** @param {Project} project @param {string} name */
async function get({ folder, backend, env }, name) {
  const command = [CLI, "secrets", "get", name, "--quiet", "--storage-backend", backend];
  return await outcomeOf(spawn(process.execPath, command, { cwd: folder, env }), "");
}

/** @typedef {import("./support/rounds.mjs").Row} Row */

/** @param {string} backend @returns {Promise<Row>} */
async function killed(backend) {
  const figures = await killAtRandom(backend);
  return { id: "D3", pass: isGood(figures), figure: `${inWords(backend, figures)}; seed ${SEED}` };
}

/** @param {string} backend @returns {Promise<Row>} */
async function read(backend) {
  const { reads, failed } = await readWhileRotating(backend);
  return { id: "K14", pass: reads > 0 && failed === 0, figure: `${backend}: ${failed} of ${reads} reads failed` };
}

/** @param {string} backend @returns {Promise<Row>} */
async function injected(backend) {
  const id = "D3-k";
  if (!HAS_STRACE) return { id, figure: "not run", missing: "strace" };
  const figures = await killAtCalls(backend);
  const { points, missed, unreadable, unfinished } = figures;
  const counts = `${points} points (${missed} missed), ${unreadable} unreadable, ${unfinished} unfinished`;
  return { id, pass: isGood({ ...figures, inTime: points }), figure: `${backend}: ${counts}` };
}

const rows = [];
for (const measure of [killed, read, injected]) {
  for (const backend of ["sqlite", "file"]) {
    rows.push(await inRound(`${measure.name}, ${backend}`, async () => await measure(backend)));
  }
}
printRows(rows);
