// Rotations that are killed or interrupted at random moments where more than one store, key file or machine is concerned.
// K4, K13: one of two projects under one default key, while the other one rotates, reads and writes.
// K15: `--new-key-file`, run again with the same words, with the new key in the key folder and elsewhere.
// K33: `--all-stores`, run again: all stores are under one key then.
// K4-2: one store that is used by two machines, each with a key folder of its own.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { importKey } from "../../packages/secrets-crypto/dist/internal.js";
import { SEED } from "./support/random.mjs";
import {
  checkFinished,
  endAtRandom,
  fill,
  finish,
  inWords,
  isEnough,
  isGood,
  noFigures,
  projectIn,
  rotateAgain,
  timeOf,
  verify,
} from "./support/rotation.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";

/** @import { Figures, Project } from "./support/rotation.mjs" */

const isShort = process.argv.includes("--short");
const ENDS = isShort ? 2 : 100;
const DATA_KEY = ["--data-key"];
const ALL_STORES = ["--data-key", "--all-stores"];

/** Two projects with one home: its key folder is that of both. @param {string} root @param {string} backend @param {NodeJS.ProcessEnv} [more] */
async function twoProjects(root, backend, more) {
  const env = { ...environment(root), ...more };
  const one = projectIn(join(root, "one"), backend, env);
  const two = projectIn(join(root, "two"), backend, env);
  await fill(one);
  await fill(two);
  return /** @type {const} */ ([one, two]);
}

/** @param {string} root @param {string} backend @param {Figures} figures */
async function besideAnother(root, backend, figures) {
  const [one, two] = await twoProjects(root, backend);
  const whole = await timeOf(one, DATA_KEY);
  while (!isEnough(figures, ENDS)) {
    const [victim, other] = figures.ends % 4 < 2 ? [one, two] : [two, one];
    await endAtRandom(victim, DATA_KEY, whole, figures);
    await rotateAgain(other, DATA_KEY, figures);
    for (const project of [one, two]) await verify(project, figures);
  }
  for (const project of [one, two]) await finish(project, DATA_KEY, figures);
}

/** @param {string} root @param {string} backend @param {Figures} figures */
async function newKeyFile(root, backend, figures) {
  const project = projectIn(root, backend);
  await fill(project);
  /** Named with --key-file where it is not in the key folder. @type {string | undefined} */
  let named;
  const whole = await timeOf(project, DATA_KEY);
  while (!isEnough(figures, ENDS)) {
    const isElsewhere = figures.ends % 4 >= 2;
    const next = join(isElsewhere ? root : join(root, "home", ".autokestra"), `next-${figures.ends}.key`);
    const words = ["--data-key", "--new-key-file", next, ...(named === undefined ? [] : ["--key-file", named])];
    await endAtRandom(project, words, whole, figures);
    named = isElsewhere ? next : undefined;
    // With the same words, also where it had come to its end.
    await finish(project, words, figures, named);
  }
}

/** @param {string} root @param {string} backend @param {Figures} figures */
async function allStores(root, backend, figures) {
  const shared = { AUTOKESTRA_SECRET_KEY_FILE: join(root, "shared.key") };
  const [one, two] = await twoProjects(root, backend, shared);
  const whole = await timeOf(one, ALL_STORES);
  while (!isEnough(figures, ENDS)) {
    await endAtRandom(one, ALL_STORES, whole, figures);
    for (const project of [one, two]) await verify(project, figures);
    await rotateAgain(one, ALL_STORES, figures);
    const [first, second] = [await checkFinished(one, figures), await checkFinished(two, figures)];
    if (first !== second) figures.unfinished += 1;
    for (const project of [one, two]) await verify(project, figures);
  }
}

/** @param {string} root @param {string} backend @param {Figures} figures */
async function twoMachines(root, backend, figures) {
  const [here, there] = ["here", "there"].map((name) => projectIn(root, backend, environment(join(root, name))));
  if (here === undefined || there === undefined) return;
  await fill(here);
  await bringKeys(here, there);
  const whole = await timeOf(here, DATA_KEY);
  await bringKeys(here, there);
  while (!isEnough(figures, ENDS)) {
    const [victim, other] = figures.ends % 4 < 2 ? [here, there] : [there, here];
    await endAtRandom(victim, DATA_KEY, whole, figures);
    await bringKeys(victim, other);
    for (const project of [victim, other]) await verify(project, figures);
    await rotateAgain(other, DATA_KEY, figures);
    await bringKeys(other, victim);
    for (const project of [victim, other]) await verify(project, figures);
    await checkFinished(victim, figures);
  }
}

/** Imports the keys of one machine on another, also one that a killed rotation has left. @param {Project} from @param {Project} to */
async function bringKeys(from, to) {
  const folder = join(from.env["HOME"] ?? "", ".autokestra");
  const names = readdirSync(folder).filter((name) => !/\.(json|lock|draft)$/.test(name));
  for (const name of names) await importKey({ env: to.env }, join(folder, name));
}

const SCENARIOS = /** @type {const} */ ([
  ["K4, K13", besideAnother],
  ["K15", newKeyFile],
  ["K33", allStores],
  ["K4-2", twoMachines],
]);

const rows = [];
for (const [id, scenario] of SCENARIOS) {
  const words = [];
  let pass = true;
  for (const backend of ["sqlite", "file"]) {
    const figures = noFigures();
    await inRound(`${id}, ${backend}`, async () => {
      await inFolder(async (root) => await scenario(root, backend, figures));
    });
    pass &&= isGood(figures);
    words.push(inWords(backend, figures));
  }
  rows.push({ id, pass, figure: `${words.join("; ")}; seed ${SEED}` });
}
printRows(rows);
