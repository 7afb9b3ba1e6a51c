// W13 and kill -9: the audit log. Processes that read and change secrets are killed at random moments: the chain verifies, and nothing
// was given out that the log does not know of. Nothing is given out whose record is not on the disk: where it cannot be brought there,
// and where the log is full, read-only, removed or moved. Lists work.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { fullDisk, noInodes, readOnly } from "./support/disk-faults.mjs";
import { fill, keyed, placeOf, run, VALUE } from "./support/installation.mjs";
import { HAS_OWN_MOUNTS, onDiskOfItsOwn, runWithOwnMounts } from "./support/own-mounts.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder, NODE } from "./support/sandbox.mjs";
import { HAS_STRACE } from "./support/strace.mjs";

const KILLS = process.argv.includes("--short") ? 20 : 300;
/** A fresh place now and then: making the store, the log and its first anchor is killed, too. */
const KILLS_PER_PLACE = 10;
/** After this many refusals a victim whose disk has failed ends. */
const MAX_REFUSED = 30;
const SYNC_TRIALS = process.argv.includes("--short") ? 3 : 30;
/** How long a victim lives at most once it was given a value or told of a change, in milliseconds. One in four may die before that. */
const LONGEST = 800;

/** @param {string} folder @template T @param {(audit: import("../../packages/secrets/dist/index.js").AuditLog) => Promise<T>} use */
async function withLog(folder, use) {
  const { secrets, audit } = await openSecretsManager({
    storagePath: placeOf(folder),
    env: keyed(folder),
    audit: true,
  });
  try {
    if (audit === null) throw new Error("the audit log is off");
    return await use(audit);
  } finally {
    await secrets.close();
  }
}

/** The command of a victim. @param {string} folder @param {string} id @param {number} maxRefused */
function victim(folder, id, maxRefused) {
  return [...NODE, join(import.meta.dirname, "support/audited-victim.mjs"), folder, id, String(maxRefused)];
}

/** Starts a victim and kills it. @param {string} folder @param {string} id @param {import("./support/random.mjs").Random} random */
async function killVictim(folder, id, random) {
  // Where the disk is slow, all are refused at first: the databases are in use.
  const [command = "", ...args] = victim(folder, id, Number.POSITIVE_INFINITY);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let isDying = false;
  function killSoon() {
    if (isDying) return;
    isDying = true;
    setTimeout(() => child.kill("SIGKILL"), random() * LONGEST);
  }
  if (random() < 0.25) killSoon();
  let told = "";
  child.stdout.on("data", (chunk) => {
    told += chunk;
    if (/^(?:read|set)$/m.test(told)) killSoon();
  });
  await new Promise((resolve) => child.on("close", resolve));
  const lines = told.split("\n");
  return {
    id,
    reads: lines.filter((line) => line === "read").length,
    sets: lines.filter((line) => line === "set").length,
  };
}

/**
 * Kills two at once, again and again: their records are in one chain.
 *
 * @param {string} folder @param {import("./support/random.mjs").Random} random
 * @param {{ kills: number, given: number, acks: number, records: number, unrecorded: number, broken: number }} figures
 */
async function killIn(folder, random, figures) {
  for (let round = 0; round < KILLS_PER_PLACE / 2; round++) {
    const victims = ["a", "b"].map((name) => killVictim(folder, `${round}${name}`, random));
    for (const { id, reads, sets } of await Promise.all(victims)) {
      figures.kills++;
      figures.given += reads;
      figures.acks += sets;
      const known = await withLog(folder, async (audit) => {
        const counts = { read: 0, set: 0 };
        for await (const { action, outcome } of audit.records({ actor: id })) {
          if (outcome === "done" && (action === "read" || action === "set")) counts[action]++;
        }
        return counts;
      });
      if (known.read < reads || known.set < sets) figures.unrecorded++;
    }
  }
  const { problem, records } = await withLog(folder, async (audit) => await audit.verify());
  figures.records += records;
  if (problem !== null) {
    console.log(`record ${problem.seq}: ${problem.reason}`);
    figures.broken++;
  }
}

async function measureKills() {
  const random = createRandom(SEED);
  const figures = { kills: 0, given: 0, acks: 0, records: 0, unrecorded: 0, broken: 0 };
  for (let place = 1; place <= KILLS / KILLS_PER_PLACE; place++) {
    await inRound(`kills in place ${place}`, () => inFolder(async (folder) => await killIn(folder, random, figures)));
  }
  const { kills, given, acks, unrecorded, broken } = figures;
  const figure = `${kills} kills, ${given} values given out, ${acks} changes acknowledged: ${unrecorded} without a record, ${broken} broken chains; seed ${SEED}`;
  return { id: "W13-kill", figure, pass: given > 0 && acks > 0 && unrecorded + broken === 0 };
}

/** From one call on, nothing is brought to the disk any more: nothing is given out or acknowledged after it. */
async function measureSync() {
  const random = createRandom(SEED);
  const figures = { given: 0, refused: 0, afterwards: 0, otherwise: 0 };
  for (let trial = 0; trial < SYNC_TRIALS; trial++) {
    await inFolder(async (folder) => {
      // The first ones are those that make the store and the log.
      const from = 60 + Math.floor(random() * 100);
      const inject = `inject=fsync,fdatasync:error=EIO:when=${from}+`;
      const options = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", inject];
      const { stdout } = spawnSync("strace", [...options, ...victim(folder, "s", MAX_REFUSED)], { encoding: "utf8" });
      const lines = stdout.split("\n").filter((line) => line !== "");
      const first = lines.findIndex((line) => line.startsWith("refused"));
      figures.given += lines.slice(0, first).length;
      const after = lines.slice(first);
      figures.refused += after.length;
      figures.afterwards += after.filter((line) => !line.startsWith("refused")).length;
      figures.otherwise += after.filter((line) => !/^refused (?:AUDIT|STORE)_UNAVAILABLE$/.test(line)).length;
    });
  }
  const { given, refused, afterwards, otherwise } = figures;
  const figure = `${SYNC_TRIALS} times fsync fails from one call on: ${given} given out or acknowledged before it, ${afterwards} after it, ${refused} refused, ${otherwise} with another code; seed ${SEED}`;
  return { id: "W13-fsync", figure, pass: given > 0 && refused > 0 && afterwards + otherwise === 0 };
}

/** @typedef {{ name: string, begin: (folder: string) => Promise<() => unknown> | (() => unknown) }} Trouble */

/** @type {readonly Trouble[]} */
const TROUBLES = [
  { name: "full", begin: async (folder) => await fullDisk(0).begin(folder, "sqlite") },
  { name: "without inodes", begin: async (folder) => await noInodes.begin(folder, "sqlite") },
  { name: "read-only", begin: async (folder) => await readOnly.begin(folder, "sqlite") },
  { name: "removed", begin: (folder) => moved(folder, null) },
  { name: "a folder in its place", begin: (folder) => moved(folder, (path) => mkdirSync(path)) },
  { name: "another file in its place", begin: (folder) => moved(folder, (path) => writeFileSync(path, "x")) },
];

/** Takes the log away. @param {string} folder @param {((path: string) => void) | null} replace */
function moved(folder, replace) {
  const path = join(placeOf(folder), "access.db");
  renameSync(path, `${path}.away`);
  replace?.(path);
  return () => {
    rmSync(path, { recursive: true, force: true });
    renameSync(`${path}.away`, path);
  };
}

async function measureTroubles() {
  /** @type {string[]} */
  const problems = [];
  let tried = 0;
  let served = 0;
  for (const { name, begin } of TROUBLES) {
    await onDiskOfItsOwn(async (folder) => {
      const env = { ...keyed(folder), AUTOKESTRA_AUDIT: "on" };
      await fill(folder, "sqlite");
      await run(folder, ["secrets", "get", "A"], { env });
      const end = await begin(folder);
      for (const line of ["secrets get A", "secrets get A --json", "secrets describe A", "run w.yaml"]) {
        writeFileSync(join(folder, "w.yaml"), WORKFLOW);
        const { status, stdout, stderr } = await run(folder, line.split(" "), { env });
        tried++;
        if (stdout.includes(VALUE)) served++;
        if (status !== 1 || !/audit/.test(stderr)) problems.push(`${name}: ${line}: exit ${status}: ${stderr}`);
      }
      const list = await run(folder, ["secrets", "list"], { env });
      if (list.status !== 0 || !list.stdout.startsWith("A")) problems.push(`${name}: list: ${list.stderr}`);
      await end();
      const after = await run(folder, ["secrets", "get", "A"], { env });
      if (after.status !== 0) problems.push(`${name}: afterwards: ${after.stderr}`);
      const verified = await run(folder, ["audit", "verify"], { env });
      if (verified.status !== 0) problems.push(`${name}: ${verified.stdout}${verified.stderr}`);
      problems.push(...looseFiles(folder).map((file) => `${name}: ${file}`));
    });
  }
  for (const problem of problems) console.log(problem);
  const figure = `${TROUBLES.length} troubles, ${tried} reads: ${served} served, ${problems.length} problems`;
  return { id: "W13", figure, pass: served + problems.length === 0 };
}

const WORKFLOW =
  "{ apiVersion: v1, id: w, secrets: [A], tasks: [{ id: t, type: core/console.log, inputs: { message: '{{ secrets.A }}' } }] }";

/** Files of the log that others can read, or that hold a value. @param {string} folder */
function looseFiles(folder) {
  const files = readdirSync(placeOf(folder)).filter((name) => name.startsWith("access.db"));
  return files.filter((name) => {
    const path = join(placeOf(folder), name);
    return (statSync(path).mode & 0o077) !== 0 || readFileSync(path).includes(VALUE.slice(0, 20));
  });
}

async function measure() {
  const canMount = HAS_OWN_MOUNTS && spawnSync("mount", ["--version"]).error === undefined;
  const troubles = canMount
    ? await inRound("W13", measureTroubles)
    : { id: "W13", figure: "not run", missing: "mount, unshare as root" };
  const sync = HAS_STRACE
    ? await inRound("W13-fsync", measureSync)
    : { id: "W13-fsync", figure: "not run", missing: "strace" };
  printRows([await measureKills(), sync, troubles]);
}

if (!runWithOwnMounts()) await measure();
