// D21: twenty processes open a place at the same moment: one in which there is nothing yet, and a store of version 1.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openSecrets } from "../../packages/secrets/dist/index.js";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";
import { makeVersion1 } from "./support/version-1.mjs";

const PROCESSES = 20;
const ROUNDS = process.argv.includes("--short") ? 2 : 25;

/** A store that version 1 has made, and its key where it is looked for. @param {string} folder */
function makeOld(folder) {
  const key = "0123456789abcdef".repeat(4);
  makeVersion1(join(folder, "secrets"), "sqlite", 20, key);
  const keyFolder = join(folder, "home", ".autokestra");
  mkdirSync(keyFolder, { recursive: true, mode: 0o700 });
  writeFileSync(join(keyFolder, "secret.key"), key, { mode: 0o600 });
}

/** @param {string} folder @param {string} backend @returns {Promise<number>} How many have failed. */
async function openAtOnce(folder, backend) {
  const opener = resolve("test/faults/support/opener.mjs");
  const openers = Array.from({ length: PROCESSES }, (_, index) => {
    const args = [opener, join(folder, "secrets"), backend, `P${index}`];
    return spawn(process.execPath, args, { env: environment(folder), stdio: ["pipe", "pipe", "inherit"] });
  });
  const ends = openers.map(async (child) => await once(child, "close"));
  await Promise.all(openers.map(async (child) => await once(child.stdout, "data")));
  for (const child of openers) child.stdin.end();
  return (await Promise.all(ends)).filter(([status]) => status !== 0).length;
}

/** @param {string} folder @param {string} backend */
async function countStored(folder, backend) {
  const secrets = await openSecrets({ storagePath: join(folder, "secrets"), backend, env: environment(folder) });
  let stored = 0;
  for (const { name } of await secrets.list()) {
    if ((await secrets.get(name)).fields["value"] === `value of ${name}`) stored += 1;
  }
  await secrets.close();
  return stored;
}

/** @param {string} backend @param {(folder: string) => Promise<void>} prepare */
async function measure(backend, prepare) {
  const figures = { failed: 0, lost: 0 };
  for (let round = 0; round < ROUNDS; round++) {
    await inRound(`${backend}, round ${round}`, async () => {
      await inFolder(async (folder) => {
        await prepare(folder);
        const failed = await openAtOnce(folder, backend);
        figures.failed += failed;
        figures.lost += PROCESSES - failed - (await countStored(folder, backend));
      });
    });
  }
  return figures;
}

const parts = [];
let pass = true;
for (const { what, backend, prepare } of [
  { what: "no store yet, sqlite", backend: "sqlite", prepare: async () => undefined },
  { what: "no store yet, file", backend: "file", prepare: async () => undefined },
  {
    what: "a store of version 1",
    backend: "sqlite",
    prepare: async (/** @type {string} */ folder) => makeOld(folder),
  },
]) {
  const { failed, lost } = await measure(backend, prepare);
  pass &&= failed === 0 && lost === 0;
  parts.push(`${what}: ${failed} failed, ${lost} lost`);
}
printRows([{ id: "D21", pass, figure: `${ROUNDS} x ${PROCESSES} openings at once; ${parts.join("; ")}` }]);
