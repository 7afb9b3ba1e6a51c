// D24: a store that version 1 has made is upgraded by the first write, which is killed at random moments, again and again. Nothing
// is lost, and the copy of it that is kept opens. With AUTOKESTRA_V1, a built checkout of version 1, its own doctor looks at the copy.
// In full it takes about two hours; `node test/faults/upgrades.mjs sqlite` and `… file` are its halves.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { CLI, environment, inFolder } from "./support/sandbox.mjs";
import { makeVersion1, valuesOf } from "./support/version-1.mjs";

const isShort = process.argv.includes("--short");
const KILLS = isShort ? 10 : 300;
const SIZE = isShort ? 300 : 10_000;
const V1 = process.env["AUTOKESTRA_V1"];
const BACKENDS = /** @type {const} */ (["sqlite", "file"]);
const FILES = { sqlite: "secrets.db", file: "secrets.json" };
const random = createRandom(SEED);
const KEYS = { key: "0123456789abcdef".repeat(4), passphrase: "correct horse battery staple" };

/** @param {string} folder @param {string} key */
function keyed(folder, key) {
  return { ...environment(folder), AUTOKESTRA_SECRET_KEY: key };
}

/** @param {string} folder @param {string} key @param {number | null} killAfter */
async function write(folder, key, killAfter) {
  const args = [CLI, "secrets", "set", "NEW", "a new value", "--quiet"];
  const child = spawn(process.execPath, args, { cwd: folder, env: keyed(folder, key), stdio: "ignore" });
  if (killAfter !== null) setTimeout(() => child.kill("SIGKILL"), killAfter);
  return await new Promise((done) => child.on("close", (status, killedBy) => done(killedBy ?? status)));
}

/**
 * How many values do not open, or are others.
 *
 * @param {string} storagePath @param {NodeJS.ProcessEnv} env
 */
async function countLost(storagePath, env) {
  const { secrets } = await openSecretsManager({ storagePath, env, create: false });
  try {
    const deleted = new Set((await secrets.list({ state: "deleted" })).map(({ name }) => String(name)));
    let lost = 0;
    for (const { name, isDeleted, value } of valuesOf(SIZE)) {
      const isThere = isDeleted
        ? deleted.has(name)
        : (await secrets.get(name).catch(() => null))?.fields["value"] === value;
      if (!isThere) lost += 1;
    }
    return lost;
  } finally {
    await secrets.close();
  }
}

/** @param {"sqlite" | "file"} backend @param {string} key */
async function killUpgrades(backend, key) {
  const figures = { kills: 0, inTime: 0, lost: 0, copies: 0, badCopies: 0, failed: 0 };
  await inFolder(async (root) => {
    const template = join(root, "template");
    const folder = join(root, "work");
    const store = join(folder, ".workflow", "secrets");
    makeVersion1(join(template, ".workflow", "secrets"), backend, SIZE, key);
    const reset = () => {
      rmSync(folder, { recursive: true, force: true });
      cpSync(template, folder, { recursive: true });
    };
    const timed = async (/** @type {number | null} */ killAfter) => {
      const started = performance.now();
      return { outcome: await write(folder, key, killAfter), milliseconds: performance.now() - started };
    };
    reset();
    const first = await timed(null);
    if (first.outcome !== 0) figures.failed += 1;
    // How long an upgrade takes: less than the first one where the machine was busy then.
    let whole = first.milliseconds;
    const killOnce = async () => {
      // Sometimes the killed one goes on where another one was killed.
      const isFresh = figures.kills % 3 === 0 || !existsSync(folder);
      if (isFresh) reset();
      const { outcome, milliseconds } = await timed(whole * (0.2 + 0.85 * random()));
      if (outcome === "SIGKILL") figures.inTime += 1;
      else if (isFresh) whole = milliseconds;
      figures.lost += await countLost(store, keyed(folder, key));
      if (figures.kills % 50 === 49)
        console.log(`${backend} after ${figures.kills + 1} kills: ${JSON.stringify(figures)}`);
      if (figures.kills % 3 !== 2) return;
      if ((await write(folder, key, null)) !== 0) figures.failed += 1;
      figures.lost += await countLost(store, keyed(folder, key));
      await checkCopy(root, backend, key, figures);
    };
    for (; figures.kills < KILLS; figures.kills++) await inRound(`${backend}, kill ${figures.kills}`, killOnce);
  });
  return figures;
}

/**
 * Looks at the copy of version 1 that was kept.
 *
 * @param {string} root @param {"sqlite" | "file"} backend @param {string} key
 * @param {{ copies: number, badCopies: number }} figures
 */
async function checkCopy(root, backend, key, figures) {
  const place = join(root, "copy");
  const store = join(place, ".workflow", "secrets");
  rmSync(place, { recursive: true, force: true });
  mkdirSync(store, { recursive: true, mode: 0o700 });
  cpSync(join(root, "work", ".workflow", "secrets", `${FILES[backend]}.v1.backup`), join(store, FILES[backend]));
  figures.copies += 1;
  const lost = await countLost(store, keyed(place, key));
  const command = [join(V1 ?? "", "apps", "cli", "dist", "autokestra.js"), "doctor"];
  const status =
    V1 === undefined ? 0 : spawnSync(process.execPath, command, { cwd: place, env: keyed(place, key) }).status;
  if (lost > 0 || status !== 0) figures.badCopies += 1;
}

const halves = BACKENDS.filter((backend) => process.argv.includes(backend));
const rows = [];
for (const backend of halves.length > 0 ? halves : BACKENDS) {
  const kind = backend === "sqlite" ? "key" : "passphrase";
  const { kills, inTime, lost, copies, badCopies, failed } = await killUpgrades(backend, KEYS[kind]);
  const pass = inTime > 0 && lost === 0 && copies > 0 && badCopies === 0 && failed === 0;
  const reader = V1 === undefined ? "" : ", also by version 1";
  const counts = `${lost} lost, ${failed} failed, ${badCopies} of ${copies} kept copies do not open${reader}`;
  const figure = `${backend}, ${SIZE} secrets under a ${kind}: ${inTime} of ${kills} killed in time, ${counts}; seed ${SEED}`;
  rows.push({ id: "D24", pass, figure });
}
printRows(rows);
