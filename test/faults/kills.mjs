// D1, D4, D19, P7: a process that does a random history of operations is killed with SIGKILL at random moments, first run included.
// What was acknowledged is there, what was under way is there whole or not at all, and nothing else has changed.
// Drafts of killed processes are swept by the next one.
import { createKilledPlace, startExecutor } from "./support/killed-place.mjs";
import { createRandom, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";
import { inFolder } from "./support/sandbox.mjs";

/** @import { KillFigures } from "./support/killed-place.mjs" */

const KILLS = process.argv.includes("--short") ? 40 : 1000;
/** A fresh place now and then, so that making the key, the store and its header is killed too. */
const KILLS_PER_PLACE = 5;
/** Places at a time: a killed process may leave a lock that the next one waits for. */
const LANES = 3;

/** How long it takes to start, and to make a store and the first secret, in milliseconds. @param {string} backend */
async function measureStart(backend) {
  return await inFolder(async (folder) => {
    const started = performance.now();
    const { child, ended } = startExecutor(folder, backend);
    child.stdin.end(`${JSON.stringify({ kind: "set", serial: 1, values: { FIRST: "value" } })}\n`);
    await ended;
    return performance.now() - started;
  });
}

/** @param {string} backend @param {boolean} moves */
async function measure(backend, moves) {
  const random = createRandom(SEED);
  const start = await measureStart(backend);
  /** @type {KillFigures} */
  const figures = { kills: 0, inTime: 0, acks: 0, lost: 0, corrupt: 0, violations: 0, refused: 0, left: 0, beside: 0 };
  let begun = 0;
  const lanes = Array.from({ length: LANES }, async () => {
    while (begun < KILLS) {
      begun += KILLS_PER_PLACE;
      await inRound(`${backend}, kills up to ${begun}`, async () => {
        await inFolder(async (folder) => {
          const place = createKilledPlace(folder, backend, { random, moves, start, figures });
          for (let kill = 0; kill < KILLS_PER_PLACE; kill++) await place.killAndVerify();
          await place.sweep();
        });
      });
    }
  });
  await Promise.all(lanes);
  return figures;
}

const rows = [];
const drafts = { kills: 0, left: 0, beside: 0 };
for (const { id, backend, moves } of [
  { id: "D1", backend: "sqlite", moves: false },
  { id: "D4", backend: "file", moves: false },
  { id: "D19", backend: "sqlite", moves: true },
  { id: "D19-f", backend: "file", moves: true },
]) {
  const { kills, inTime, acks, lost, corrupt, violations, refused, left, beside } = await measure(backend, moves);
  const pass = inTime > 0 && acks > 0 && lost + corrupt + violations + refused === 0;
  const counts = `${lost} lost, ${corrupt} corrupt, ${violations} violations, ${refused} refused`;
  const what = moves ? `from ${backend}, with migrations and backups` : backend;
  rows.push({ id, pass, figure: `${what}: ${kills} kills, ${inTime} in time, ${acks} acks, ${counts}; seed ${SEED}` });
  drafts.kills += kills;
  drafts.left += left;
  drafts.beside += beside;
}
const { kills, left, beside } = drafts;
const figure = `after ${kills} kills and a process that lived: ${left} drafts left, ${beside} of backups beside these`;
printRows([...rows, { id: "P7-kill", pass: left === 0, figure }]);
