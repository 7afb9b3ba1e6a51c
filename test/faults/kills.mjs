// D1, D4: a writer is killed with SIGKILL at random moments, first run included. Nothing that was acknowledged is lost.
import { spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { openSecrets } from "../../packages/engine/dist/index.js";
import { environment, inFolder } from "./support/sandbox.mjs";

const KILLS = process.argv.includes("--short") ? 25 : 1000;
/** A fresh place now and then, so that making the key, the store and its header is killed too. */
const KILLS_PER_PLACE = 5;

/**
 * @param {string} folder
 * @param {string} backend
 * @param {number} round
 * @returns {Promise<string[]>} The acknowledged names.
 */
async function writeAndKill(folder, backend, round) {
  const args = [resolve("test/faults/support/writer.mjs"), join(folder, "secrets"), backend, `K${round}`, "100000"];
  const child = spawn(process.execPath, args, { env: environment(folder), stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  // Half of the kills come while the process starts and opens the store, half while it writes.
  if (round % 2 === 0) setTimeout(() => child.kill("SIGKILL"), Math.random() * 250);
  else child.stdout.once("data", () => setTimeout(() => child.kill("SIGKILL"), Math.random() * 100));
  await new Promise((done) => child.on("close", done));
  return output
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" ")[0] ?? "");
}

/** @param {string} backend */
async function measure(backend) {
  const figures = { kills: 0, acks: 0, lost: 0, corrupt: 0 };
  while (figures.kills < KILLS) {
    await inFolder(async (folder) => {
      /** @type {string[]} */
      const acknowledged = [];
      for (let round = 0; round < KILLS_PER_PLACE && figures.kills < KILLS; round++) {
        acknowledged.push(...(await writeAndKill(folder, backend, round)));
        figures.kills += 1;
        await verify(folder, backend, acknowledged, figures);
      }
      figures.acks += acknowledged.length;
    });
  }
  return figures;
}

/**
 * @param {string} folder
 * @param {string} backend
 * @param {readonly string[]} acknowledged
 * @param {{ lost: number, corrupt: number }} figures
 */
async function verify(folder, backend, acknowledged, figures) {
  const secrets = await openSecrets({ storagePath: join(folder, "secrets"), backend, env: environment(folder) });
  try {
    const stored = new Set((await secrets.list()).map(({ name }) => String(name)));
    figures.lost += acknowledged.filter((name) => !stored.has(name)).length;
    for (const name of stored) {
      const { fields } = await secrets.get(name);
      if (fields["value"] !== `value of ${name}`) figures.corrupt += 1;
    }
  } catch (error) {
    console.log(String(error));
    figures.corrupt += 1;
  } finally {
    await secrets.close();
  }
}

const rows = [];
for (const [id, backend] of [
  ["D1", "sqlite"],
  ["D4", "file"],
]) {
  const { kills, acks, lost, corrupt } = await measure(backend ?? "");
  const figure = `${backend}: ${kills} kills, ${acks} acks, ${lost} lost, ${corrupt} corrupt`;
  rows.push({ id, pass: acks > 0 && lost === 0 && corrupt === 0, figure });
}
console.log(JSON.stringify(rows));
