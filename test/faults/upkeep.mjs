// B5: kill -9 while a server makes backups and renews the data key. Every file with the name of a backup is a whole one, what was left is
// removed, the next process finishes the renewal, and no secret is lost.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  backUpIfDue,
  diagnose,
  openSecretsManager,
  renewDataKey,
  restoreBackup,
} from "../../packages/secrets/dist/index.js";
import { nextSecond } from "./support/next-second.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder, NODE } from "./support/sandbox.mjs";

const KILLS = process.argv.includes("--short") ? 6 : 60;
/** So that a renewal takes about a third of a second. */
const SECRETS = 300;
/** How long a victim lives at most once it has begun, or has made a backup or renewed the key, in milliseconds. */
const LONGEST = 1500;
const DAY = 24 * 60 * 60 * 1000;

// A dependency of the package, which is not one of the workspace.
const inPackage = createRequire(join(import.meta.dirname, "../../packages/secrets/package.json"));
const age = await import(pathToFileURL(inPackage.resolve("age-encryption")).href);
const identity = await age.generateIdentity();
const recipient = await age.identityToRecipient(identity);

/** @typedef {import("../../packages/secrets/dist/index.js").SecretsManager} SecretsManager */

/** @param {string} folder */
const placeIn = (folder) => ({ env: {}, storagePath: join(folder, "secrets"), keyFolder: join(folder, "keys") });

/** @param {string} folder @template T @param {(manager: SecretsManager) => Promise<T>} work */
async function withManager(folder, work) {
  const manager = await openSecretsManager(placeIn(folder));
  try {
    return await work(manager);
  } finally {
    await manager.secrets.close();
  }
}

/** @param {string} folder @param {import("./support/random.mjs").Random} random */
async function killVictim(folder, random) {
  const [command, ...args] = [...NODE, join(import.meta.dirname, "support/upkeep-victim.mjs"), folder, recipient];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  const last = ["begun", "backup", "renewal"][Math.floor(random() * 3)] ?? "";
  let isDoomed = false;
  child.stdout.on("data", (chunk) => {
    told += chunk;
    if (isDoomed || !told.includes(last)) return;
    isDoomed = true;
    setTimeout(() => child.kill("SIGKILL"), random() * LONGEST);
  });
  await new Promise((resolve) => child.on("close", resolve));
  if (child.signalCode !== "SIGKILL") throw new Error(`the process ended by itself, with ${child.exitCode}`);
  return told.split("\n");
}

/** Lets the time of the leases of a killed process pass, without waiting for it. @param {SecretsManager} manager */
async function endLeases({ store }) {
  for (const name of ["backup lease", "data key lease"]) {
    const anchor = await store.readAnchor(name);
    if (anchor === null) continue;
    const text = new Date(0).toISOString();
    await store.writeAnchor({ ...anchor, counter: anchor.counter + 1, text }, anchor.counter);
  }
}

/** @param {string} folder */
async function countHalfFiles(folder) {
  let half = 0;
  for (const name of readdirSync(join(folder, "backups")).filter((one) => one.endsWith(".age"))) {
    await inFolder(async (empty) => {
      const options = { ...placeIn(empty), keyFolder: join(folder, "keys") };
      const restored = await restoreBackup(options, join(folder, "backups", name), { identities: [identity] }).catch(
        (/** @type {unknown} */ error) => console.log(name, String(error)),
      );
      if (restored?.secrets !== SECRETS) half++;
    });
  }
  return half;
}

/** @param {string} folder @param {typeof figures} figures */
async function finish(folder, figures) {
  await withManager(folder, async (manager) => {
    await endLeases(manager);
    const states = async () => (await manager.keys.keyring()).header.dataKeys.map(({ state }) => state);
    if ((await states()).includes("decrypt-only")) {
      figures.unfinished++;
      await renewDataKey(manager, { maxAgeMs: 10_000 * DAY });
      if ((await states()).includes("decrypt-only")) figures.stuck++;
    }
    const schedule = { folder: join(folder, "backups"), everyMs: 0, recipients: [recipient], keep: 3 };
    await nextSecond();
    await backUpIfDue(manager, placeIn(folder), schedule);
    const left = readdirSync(join(folder, "backups")).filter((name) => !name.endsWith(".age"));
    if (left.length > 0) figures.left++;
    const failures = (await diagnose(manager)).filter(({ status }) => status === "failure");
    for (const { message } of failures) console.log(message);
    figures.damaged += failures.length;
    for (const { name } of await manager.secrets.list()) {
      if ((await manager.secrets.get(name)).fields["value"] === `of ${name}`) figures.read++;
    }
  });
  figures.half += await countHalfFiles(folder);
}

const random = createRandom(SEED);
const figures = { kills: 0, backups: 0, renewals: 0, unfinished: 0, stuck: 0, left: 0, half: 0, damaged: 0, read: 0 };
await inFolder(async (folder) => {
  await withManager(folder, async ({ secrets }) => {
    const names = Array.from({ length: SECRETS }, (_, index) => `S${index}`);
    await secrets.setAll(names.map((name) => ({ name, type: "apiKey", fields: { value: `of ${name}` } })));
  });
  // Until one was killed in a renewal, too: nearly all are.
  for (; figures.kills < KILLS || (figures.unfinished === 0 && figures.kills < 10 * KILLS); figures.kills++) {
    await inRound(`kill ${figures.kills}`, async () => {
      const told = await killVictim(folder, random);
      figures.backups += told.filter((line) => line === "backup").length;
      figures.renewals += told.filter((line) => line === "renewal").length;
      await finish(folder, figures);
    });
  }
});
const { kills, backups, renewals, unfinished, stuck, left, half, damaged, read } = figures;
const lost = SECRETS * kills - read;
const figure = `${kills} kills, ${backups} backups, ${renewals} renewals, ${unfinished} killed in one, ${stuck} not finished, ${half} half files, ${left} times files left, ${damaged} damaged, ${lost} lost (seed ${SEED})`;
const pass = stuck + left + half + damaged + lost === 0 && unfinished > 0;
printRows([{ id: "B5", figure, pass }]);
