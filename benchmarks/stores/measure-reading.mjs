import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { measure } from "../measure.mjs";
import { nameOf, openSecretsManager } from "./installation.mjs";
import { openRawStore } from "./raw-store.mjs";

const GOALS = { composite: 0.85, sum: 0.65, lastPage: 1.3 };

/**
 * @param {string} folder
 * @param {readonly number[]} sizes
 * @returns {Promise<{ getting: string[][], listing: string[][] }>} Tables.
 */
export async function measureReading(folder, sizes) {
  const getting = [
    ["secrets", "read", "decrypt", "read + decrypt", "ours", "composite/ours", "goal", "", "sum/ours", "goal", ""],
  ];
  const listing = [["secrets", "raw first", "ours first", "ours last", "last/first", "goal", "", "to smallest"]];
  let smallest = Number.NaN;
  for (const size of sizes) {
    const times = await measureSize(join(folder, `read-${size}`), size);
    const { read = 0, decrypt = 0, composite = 0, get = 0, rawPage = 0, firstPage = 0, lastPage = 0 } = times;
    if (size === sizes[0]) smallest = firstPage;
    const sum = (read + decrypt) / get;
    getting.push([
      String(size),
      ...[read, decrypt, composite, get].map((time) => time.toFixed(1)),
      ...compareToGoal(composite / get, GOALS.composite, composite / get >= GOALS.composite),
      ...compareToGoal(sum, GOALS.sum, sum >= GOALS.sum),
    ]);
    listing.push([
      String(size),
      ...[rawPage, firstPage, lastPage].map((time) => time.toFixed(0)),
      ...compareToGoal(lastPage / firstPage, GOALS.lastPage, lastPage / firstPage <= GOALS.lastPage),
      (firstPage / smallest).toFixed(2),
    ]);
  }
  return { getting, listing };
}

/** @param {number} ratio @param {number} goal @param {boolean} isMet */
function compareToGoal(ratio, goal, isMet) {
  return [ratio.toFixed(2), goal.toFixed(2), isMet ? "met" : "missed"];
}

/** @param {string} folder @param {number} size */
async function measureSize(folder, size) {
  mkdirSync(folder, { mode: 0o700 });
  const raw = openRawStore(join(folder, "raw.db"), size);
  const { store, secrets } = await openSecretsManager(join(folder, "secrets.db"), size);
  // Visits all names in an order that no cache can use.
  const step = size > 10 ? Math.floor(size * 0.618) : 1;
  let at = 0;
  const next = () => {
    at = (at + step) % size;
    return nameOf(at);
  };
  const behind = nameOf(size - 51);
  const times = await measure(
    {
      read: () => raw.read(next()),
      decrypt: () => raw.decrypt(),
      composite: () => raw.get(next()),
      get: () => secrets.get(next()),
    },
    { rounds: 31, operations: 1000 },
  );
  const pages = await measure(
    {
      rawPage: () => raw.page(""),
      firstPage: () => store.list({ limit: 50 }),
      lastPage: () => store.list({ limit: 50, after: behind }),
    },
    { rounds: 21, operations: 100 },
  );
  await secrets.close();
  raw.database.close();
  return { ...times, ...pages };
}
