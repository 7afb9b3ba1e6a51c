// D3: `rotate-key --data-key` is killed at random moments, and at every k-th system call that changes the disk. Every
// secret stays readable, and running it again finishes it.
// K13, K4: the same in one of two projects under one key, while the other one rotates, reads and writes.
// K14: values are read by other processes while keys are rotated. K15: --new-key-file is killed and run again.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { openInstallation, rotateKeys } from "../../packages/engine/dist/index.js";
import { outcomeOf } from "./support/outcome-of.mjs";
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

/**
 * @param {string} folder
 * @param {string} backend
 * @param {{ unreadable: number }} figures
 * @param {string} [keyFile]
 */
async function verify(folder, backend, figures, keyFile) {
  const { secrets } = await openInstallation({ ...place(folder, backend), keyFile });
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
  const { dataKeys } = await rotateKeys(place(folder, backend), { dataKey: true });
  if (dataKeys.some(({ state }) => state === "decrypt-only")) figures.unfinished += 1;
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

/**
 * Two projects with one default key: one is killed while it rotates, then the other one rotates, and both read and write.
 *
 * @param {string} backend
 */
async function killBesideAnother(backend) {
  const figures = { kills: 0, inTime: 0, unreadable: 0, unfinished: 0 };
  await inFolder(async (root) => {
    // One home: the key folder of both.
    const [one, two] = ["one", "two"].map((name) => join(root, name));
    for (const folder of [one, two]) {
      mkdirSync(folder);
      symlinkHome(root, folder);
      await fill(folder, backend);
    }
    const started = performance.now();
    await rotate(one, backend, null);
    const whole = performance.now() - started;
    for (; figures.kills < KILLS / 3; figures.kills++) {
      const [victim, other] = figures.kills % 2 === 0 ? [one, two] : [two, one];
      const signal = await rotate(victim, backend, whole * (0.3 + 0.65 * Math.random()));
      if (signal === "SIGKILL") figures.inTime += 1;
      await rotate(other, backend, null);
      for (const folder of [one, two]) {
        await verify(folder, backend, figures);
        const { secrets } = await openInstallation(place(folder, backend));
        await secrets.set({ name: "S0", type: "apiKey", fields: { value: "value 0" } });
        await secrets.close();
      }
    }
    for (const folder of [one, two]) {
      await finish(folder, backend, figures);
      await verify(folder, backend, figures);
    }
  });
  return figures;
}

/** Both projects have the home of the root. @param {string} root @param {string} folder */
function symlinkHome(root, folder) {
  mkdirSync(join(root, "home"), { recursive: true, mode: 0o700 });
  symlinkSync(join(root, "home"), join(folder, "home"));
}

/** Other processes read while keys are rotated. @param {string} backend */
async function readWhileRotating(backend) {
  const figures = { reads: 0, failed: 0 };
  await inFolder(async (folder) => {
    await fill(folder, backend);
    for (let round = 0; round < (isShort ? 2 : 20); round++) {
      const rotation = new AbortController();
      const rotating = rotate(folder, backend, null).finally(() => rotation.abort());
      while (!rotation.signal.aborted) {
        const index = figures.reads % SECRETS;
        const { status, stdout } = await get(folder, backend, `S${index}`);
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

/** @param {string} folder @param {string} backend @param {string} name */
async function get(folder, backend, name) {
  const command = [CLI, "secrets", "get", name, "--quiet", "--storage-backend", backend];
  return await outcomeOf(spawn(process.execPath, command, { cwd: folder, env: environment(folder) }), "");
}

/** `--new-key-file` is killed, and run again with the same words. @param {string} backend */
async function killNewKeyFile(backend) {
  const figures = { kills: 0, inTime: 0, refused: 0, unreadable: 0 };
  await inFolder(async (folder) => {
    await fill(folder, backend);
    let keyFile = /** @type {string | undefined} */ (undefined);
    const run = async (/** @type {string} */ next, /** @type {number | null} */ killAfter) => {
      const given = keyFile === undefined ? [] : ["--key-file", keyFile];
      const args = [CLI, "secrets", "rotate-key", "--quiet", "--data-key", "--new-key-file", next, ...given];
      const child = spawn(process.execPath, [...args, "--storage-backend", backend], {
        cwd: folder,
        env: environment(folder),
      });
      if (killAfter !== null) setTimeout(() => child.kill("SIGKILL"), killAfter);
      const outcome = await outcomeOf(child, "");
      return { ...outcome, signal: child.signalCode };
    };
    const started = performance.now();
    const first = join(folder, "first-key");
    await run(first, null);
    keyFile = first;
    const whole = performance.now() - started;
    for (; figures.kills < KILLS / 3; figures.kills++) {
      const next = join(folder, `key-${figures.kills}`);
      const { signal } = await run(next, whole * (0.3 + 0.65 * Math.random()));
      if (signal === "SIGKILL") figures.inTime += 1;
      // Not killed, it has come to its end: once more would name the key in use.
      if (signal === "SIGKILL") {
        const { status, stderr } = await run(next, null);
        if (status !== 0 && !stderr.includes("holds the key that is in use")) {
          figures.refused += 1;
          console.log(backend, stderr);
        }
      }
      keyFile = next;
      await verify(folder, backend, figures, keyFile);
    }
  });
  return figures;
}

const random = [];
const calls = [];
const beside = [];
const readings = [];
const resumed = [];
let pass = true;
for (const backend of ["sqlite", "file"]) {
  const killed = await killAtRandom(backend);
  pass &&= killed.inTime > 0 && killed.unreadable === 0 && killed.unfinished === 0;
  random.push(
    `${backend}: ${killed.inTime} of ${killed.kills} killed in time, ${killed.unreadable} unreadable, ${killed.unfinished} unfinished`,
  );
  const both = await killBesideAnother(backend);
  pass &&= both.inTime > 0 && both.unreadable === 0 && both.unfinished === 0;
  beside.push(
    `${backend}: ${both.inTime} of ${both.kills} killed in time, ${both.unreadable} unreadable, ${both.unfinished} unfinished`,
  );
  const read = await readWhileRotating(backend);
  pass &&= read.reads > 0 && read.failed === 0;
  readings.push(`${backend}: ${read.failed} of ${read.reads} reads failed`);
  const again = await killNewKeyFile(backend);
  pass &&= again.inTime > 0 && again.refused === 0 && again.unreadable === 0;
  resumed.push(
    `${backend}: ${again.inTime} of ${again.kills} killed in time, ${again.refused} not finished by running it again, ${again.unreadable} unreadable`,
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
    { id: "K4, K13", pass, figure: beside.join("; ") },
    { id: "K14", pass, figure: readings.join("; ") },
    { id: "K15", pass, figure: resumed.join("; ") },
    { id: "D3-k", ...d3k },
  ]),
);
