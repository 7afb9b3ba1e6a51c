import { load } from "./load.mjs";

/** Of requests between two looks. */
const AMOUNT = 1000;
const MEGABYTE = 1024 * 1024;
/** How much more at the end than after the first fifth is still the same. */
const GOAL = 1.1;

/**
 * Reads metadata and values in turns, and looks at the memory of the server each time.
 *
 * @param {import("./servers.mjs").MeasuredServer} server @param {number} minutes
 * @returns {Promise<string[][]>} A table.
 */
export async function measureMemory(server, minutes) {
  const samples = [];
  let requests = 0;
  const start = performance.now();
  const end = start + minutes * 60_000;
  for (let round = 0; performance.now() < end; round++) {
    await load(server, round % 2 === 0 ? "" : "/decrypt", AMOUNT);
    requests += AMOUNT;
    samples.push((await server.usage()).rss / MEGABYTE);
  }
  // The first fifth is the growth of a new process. What follows is compared by its thirds.
  const settled = samples.slice(Math.floor(samples.length / 5));
  const third = Math.ceil(settled.length / 3);
  const [first, last] = [median(settled.slice(0, third)), median(settled.slice(-third))];
  return [
    ["minutes", "requests", "MB first third", "MB last third", "most", "last/first", "goal", ""],
    [
      ((performance.now() - start) / 60_000).toFixed(1),
      String(requests),
      first.toFixed(1),
      last.toFixed(1),
      Math.max(...settled).toFixed(1),
      (last / first).toFixed(2),
      GOAL.toFixed(2),
      last / first <= GOAL ? "met" : "missed",
    ],
  ];
}

/** @param {readonly number[]} samples */
function median(samples) {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN;
}
