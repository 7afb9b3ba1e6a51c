// D11: SIGTERM to the server while clients write and read, from the built command. What was acknowledged is there, and the process ends.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openSecretsManager } from "../../packages/secrets/dist/index.js";
import { keyed, placeOf } from "./support/installation.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";
import { makeToken, startServer } from "./support/served.mjs";

const ROUNDS = process.argv.includes("--short") ? 3 : 30;
const CLIENTS = 8;
/** How long the process may take to end: only one that waits for its clients takes this long. */
const LONGEST_MS = 60_000;
const random = createRandom(SEED);

/**
 * Writes new versions of one secret, one after the other, until the server is not there any more.
 *
 * @param {string} address @param {Record<string, string>} headers @param {string} name
 * @param {() => void} onAcknowledged
 * @returns {Promise<{ acknowledged: number }>} The last version that was acknowledged.
 */
async function write(address, headers, name, onAcknowledged) {
  const base = `${address}/api/secrets`;
  let acknowledged = 0;
  try {
    const made = await fetch(base, { method: "POST", headers, body: JSON.stringify({ name, value: "1" }) });
    if (made.status !== 201) throw new Error(`creating answers ${made.status}`);
    acknowledged = 1;
    onAcknowledged();
    const { id } = await made.json();
    for (let version = 2; ; version++) {
      const body = JSON.stringify({ value: String(version) });
      const { status } = await fetch(`${base}/${id}`, { method: "PUT", headers, body });
      if (status !== 200) throw new Error(`changing answers ${status}`);
      acknowledged = version;
    }
  } catch (error) {
    // Of fetch: the connection is gone. Whether the request had begun is unknown.
    if (!(error instanceof TypeError)) throw error;
  }
  return { acknowledged };
}

/** @param {string} folder @param {number} round @param {Record<string, string>} headers */
async function runRound(folder, round, headers) {
  const { child, ended, address } = await startServer(folder);
  const names = Array.from({ length: CLIENTS }, (_, index) => `R${round}_${index}`);
  /** @type {Promise<Awaited<ReturnType<typeof write>>[]>} */
  let writers = Promise.resolve([]);
  await new Promise((resolve, reject) => {
    writers = Promise.all(names.map(async (name) => await write(address, headers, name, () => resolve(undefined))));
    writers.catch(reject);
  });
  await setTimeout(random() * 1500);
  const start = performance.now();
  child.kill("SIGTERM");
  const code = await ended;
  const ms = performance.now() - start;
  const results = await writers;
  const { secrets } = await openSecretsManager({ env: keyed(folder), storagePath: placeOf(folder) });
  let lost = 0;
  for (const [index, name] of names.entries()) {
    const acknowledged = results[index]?.acknowledged ?? 0;
    const version = (await secrets.find(name))?.version ?? 0;
    // One more may have been written, whose answer has not arrived.
    if (version < acknowledged || version > acknowledged + 1) lost++;
    else if (version > 0 && (await secrets.get(name)).fields["value"] !== String(version)) lost++;
  }
  await secrets.close();
  const acknowledged = results.reduce((sum, result) => sum + result.acknowledged, 0);
  return { code, ms, lost, acknowledged };
}

async function measure() {
  return await inFolder(async (folder) => {
    // More than any machine writes.
    writeFileSync(join(folder, "autokestra.config.yaml"), "server: { requestsPerMinute: 1000000 }\n", { mode: 0o600 });
    const token = await makeToken(folder);
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const total = { acknowledged: 0, lost: 0, failed: 0, longest: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      await inRound(`round ${round}`, async () => {
        const { code, ms, lost, acknowledged } = await runRound(folder, round, headers);
        total.acknowledged += acknowledged;
        total.lost += lost;
        if (code !== 0) total.failed++;
        total.longest = Math.max(total.longest, ms);
      });
    }
    const { acknowledged, lost, failed, longest } = total;
    const counts = `${lost} secrets lost one, ${failed} did not exit with 0, longest ${longest.toFixed(0)} ms; seed ${SEED}`;
    const figure = `${ROUNDS} SIGTERMs under load, ${acknowledged} acknowledged writes: ${counts}`;
    return { id: "D11", figure, pass: acknowledged >= ROUNDS && lost === 0 && failed === 0 && longest < LONGEST_MS };
  });
}
printRows([await inRound("D11", measure)]);
