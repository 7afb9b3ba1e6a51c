// C7: no nonce twice in four processes that seal under one data key, two of them on a copy of the store.
import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { inRound, printRows } from "./support/rounds.mjs";
import { environment, inFolder } from "./support/sandbox.mjs";

const SEALS = process.argv.includes("--short") ? 2 ** 14 : 2 ** 18;

/** @param {string} folder @param {string} place */
async function nonces(folder, place) {
  const args = [resolve("test/faults/support/sealer.mjs"), join(folder, place), String(SEALS)];
  const child = spawn(process.execPath, args, { env: environment(folder), stdio: ["ignore", "pipe", "inherit"] });
  return await buffer(child.stdout);
}

/** @param {string} folder */
async function measure(folder) {
  const { secrets } = await openSecretsManager({ storagePath: join(folder, "one"), env: environment(folder) });
  await secrets.set({ name: "A", type: "apiKey", fields: { value: "value" } });
  await secrets.close();
  cpSync(join(folder, "one"), join(folder, "copy"), { recursive: true });
  const all = Buffer.concat(await Promise.all(["one", "one", "copy", "copy"].map((place) => nonces(folder, place))));
  const seen = new Set();
  for (let at = 0; at < all.length; at += 12) seen.add(all.toString("latin1", at, at + 12));
  const total = all.length / 12;
  const duplicates = total - seen.size;
  const figure = `4 processes x ${SEALS} seals, two on a copy of the store: ${total} nonces, ${duplicates} twice`;
  return { id: "C7", pass: total === 4 * SEALS && duplicates === 0, figure };
}

printRows([await inRound("C7", async () => await inFolder(measure))]);
