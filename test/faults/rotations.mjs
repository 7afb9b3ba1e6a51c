// D3: `rotate-key --data-key` is killed at random moments, and at every k-th system call that changes the disk. Every
// secret stays readable, and running it again finishes it.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openInstallation, rotateKeys } from "../../packages/engine/dist/index.js";
import { CLI, environment, inFolder } from "./support/sandbox.mjs";
import { HAS_STRACE, traced } from "./support/strace.mjs";

const isShort = process.argv.includes("--short");
const KILLS = isShort ? 12 : 300;
const SECRETS = 150;
/** With --short only every so many-th of the k. */
const STEP = isShort ? 12 : 1;
const CALLS =
  "write,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,pwrite64,ftruncate,mkdir,rmdir";
const ROTATE = ["secrets", "rotate-key", "--data-key", "--quiet"];

/** @typedef {{ unreadable: number, unfinished: number }} Figures */

/** @param {string} folder @param {string} backend */
function place(folder, backend) {
  return { storagePath: join(folder, ".workflow/secrets"), backend, env: environment(folder) };
}

/** @param {string} folder @param {string} backend */
async function fill(folder, backend) {
  const { secrets } = await openInstallation(place(folder, backend));
  const inputs = Array.from({ length: SECRETS }, (_, index) => ({
    name: `S${index}`,
    type: /** @type {const} */ ("apiKey"),
    fields: { value: `value ${index}` },
  }));
  await secrets.setAll(inputs);
  await secrets.close();
}

/** @param {string} folder @param {string} backend @param {Figures} figures */
async function verify(folder, backend, figures) {
  const { secrets } = await openInstallation(place(folder, backend));
  for (let index = 0; index < SECRETS; index++) {
    const value = await secrets.get(`S${index}`).then(
      ({ fields }) => fields["value"],
      (error) => String(error),
    );
    if (value !== `value ${index}`) {
      figures.unreadable += 1;
      console.log(backend, value);
    }
  }
  await secrets.close();
}

/** @param {string} folder @param {string} backend @param {Figures} figures */
async function finish(folder, backend, figures) {
  const installation = await openInstallation(place(folder, backend));
  const { dataKeys } = await rotateKeys(installation, { dataKey: true });
  if (dataKeys.some(({ state }) => state === "decrypt-only")) figures.unfinished += 1;
  await installation.secrets.close();
}

/**
 * Runs the command and gives the signal that has ended it, or null.
 *
 * @param {string} folder
 * @param {string} backend
 * @param {number | null} killAfter Milliseconds; null for not at all.
 */
async function rotate(folder, backend, killAfter) {
  const command = [CLI, ...ROTATE, "--storage-backend", backend];
  const child = spawn(process.execPath, command, { cwd: folder, env: environment(folder), stdio: "ignore" });
  if (killAfter !== null) setTimeout(() => child.kill("SIGKILL"), killAfter);
  return await new Promise((done) => child.on("close", (_, killedBy) => done(killedBy)));
}

/** @param {string} backend */
async function killAtRandom(backend) {
  const figures = { kills: 0, inTime: 0, unreadable: 0, unfinished: 0 };
  await inFolder(async (folder) => {
    await fill(folder, backend);
    const started = performance.now();
    await rotate(folder, backend, null);
    const whole = performance.now() - started;
    while (figures.kills < KILLS) {
      // While it starts there is nothing to kill.
      const signal = await rotate(folder, backend, whole * (0.3 + 0.65 * Math.random()));
      figures.kills += 1;
      if (signal === "SIGKILL") figures.inTime += 1;
      await verify(folder, backend, figures);
      if (figures.kills % 5 === 0) await finish(folder, backend, figures);
    }
    await finish(folder, backend, figures);
    await verify(folder, backend, figures);
  });
  return figures;
}

/** @param {string} backend */
async function killAtCalls(backend) {
  const figures = { points: 0, missed: 0, unreadable: 0, unfinished: 0 };
  await inFolder(async (root) => {
    const folder = join(root, "work");
    const template = join(root, "template");
    const args = [...ROTATE, "--storage-backend", backend];
    mkdirSync(folder);
    await fill(folder, backend);
    spawnSync("cp", ["-a", folder, template]);
    const { points } = await traced(folder, args, { calls: CALLS });
    for (const { call, ordinal } of points.filter((_, k) => k % STEP === 0)) {
      rmSync(folder, { recursive: true, force: true });
      spawnSync("cp", ["-a", template, folder]);
      const { signal } = await traced(folder, args, { calls: CALLS, inject: `${call}:signal=KILL:when=${ordinal}` });
      figures[signal === "SIGKILL" ? "points" : "missed"] += 1;
      await verify(folder, backend, figures);
      await finish(folder, backend, figures);
      await verify(folder, backend, figures);
    }
  });
  return figures;
}

const random = [];
const calls = [];
let pass = true;
for (const backend of ["sqlite", "file"]) {
  const killed = await killAtRandom(backend);
  pass &&= killed.inTime > 0 && killed.unreadable === 0 && killed.unfinished === 0;
  random.push(
    `${backend}: ${killed.inTime} of ${killed.kills} killed in time, ${killed.unreadable} unreadable, ${killed.unfinished} unfinished`,
  );
  if (!HAS_STRACE) continue;
  const injected = await killAtCalls(backend);
  pass &&= injected.points > 0 && injected.unreadable === 0 && injected.unfinished === 0;
  calls.push(
    `${backend}: ${injected.points} points (${injected.missed} missed), ${injected.unreadable} unreadable, ${injected.unfinished} unfinished`,
  );
}
const d3k = HAS_STRACE ? { pass, figure: calls.join("; ") } : { figure: "not run", missing: "strace" };
console.log(
  JSON.stringify([
    { id: "D3", pass, figure: random.join("; ") },
    { id: "D3-k", ...d3k },
  ]),
);
