// C14: an import into a new store, where another one was known, is killed at random moments. All of it is there or nothing, and
// running it again makes it whole.
import { spawn, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { ak, CLI, environment, inFolder } from "./support/sandbox.mjs";

const KILLS = process.argv.includes("--short") ? 15 : 300;
const ENTRIES = 2000;

/** How many secrets there are, each of which must open. @param {string} storagePath @param {NodeJS.ProcessEnv} env */
async function countOpened(storagePath, env) {
  const { secrets } = await openSecretsManager({ storagePath, env, create: false });
  try {
    const names = (await secrets.list()).map(({ name }) => name);
    for (const name of names) await secrets.get(name);
    return names.length;
  } finally {
    await secrets.close();
  }
}

const random = createRandom(SEED);
const figures = { kills: 0, all: 0, nothing: 0, partial: 0, notWhole: 0 };
await inFolder(async (folder) => {
  const entries = Object.fromEntries(Array.from({ length: ENTRIES }, (_, index) => [`S${index}`, `value ${index}`]));
  writeFileSync(join(folder, "secrets.json"), JSON.stringify(entries));
  const command = ["secrets", "import", "--from", "json", "--file", "secrets.json", "--json"];
  const started = performance.now();
  spawnSync(process.execPath, [CLI, ...command], { cwd: folder, env: environment(folder) });
  // How long an import takes: less than the first one where the machine was busy then.
  let usual = performance.now() - started;
  const killOnce = async () => {
    rmSync(join(folder, ".workflow"), { recursive: true, force: true });
    const begin = performance.now();
    const child = spawn(process.execPath, [CLI, ...command], {
      cwd: folder,
      env: environment(folder),
      stdio: "ignore",
    });
    setTimeout(() => child.kill("SIGKILL"), usual * (0.3 + 0.8 * random()));
    await new Promise((done) => child.on("close", done));
    if (child.signalCode === null) usual = performance.now() - begin;
    const count = await countOpened(join(folder, ".workflow/secrets"), environment(folder));
    figures[count === 0 ? "nothing" : count === ENTRIES ? "all" : "partial"] += 1;
    const { status, stdout } = ak(folder, command);
    const { imported, skipped } = status === 0 ? JSON.parse(stdout) : {};
    if (skipped !== count || imported !== ENTRIES - count) figures.notWhole += 1;
  };
  for (; figures.kills < KILLS; figures.kills++) await inRound(`kill ${figures.kills}`, killOnce);
});
const { kills, all, nothing, partial, notWhole } = figures;
const figure = `${kills} kills: ${all} all, ${nothing} nothing, ${partial} partial; ${notWhole} not whole when run again; seed ${SEED}`;
printRows([{ id: "C14", pass: partial === 0 && notWhole === 0 && nothing > 0, figure }]);
