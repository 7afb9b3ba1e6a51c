import { measure } from "../measure.mjs";
import { CHUNK } from "./create-ways.mjs";

/** @typedef {import("./create-ways.mjs").Way} Way */
/** @typedef {{ log: string, withHits: string }} Corpus In ASCII. */
/** @typedef {{ rounds: number, milliseconds: number }} Effort How long one way takes in one round, at most. */

/**
 * MB/s of each way. A way that is slow gets as much of the corpus as it masks in its time, one chunk at least.
 *
 * @param {Readonly<Record<string, { way: Way, corpus: string }>>} ways
 * @param {Effort} effort
 * @returns {Promise<Record<string, number>>}
 */
export async function measureWays(ways, { rounds, milliseconds }) {
  /** @type {Record<string, number>} */
  const sizes = {};
  /** @type {Record<string, () => void>} */
  const works = {};
  for (const [name, { way, corpus }] of Object.entries(ways)) {
    const chunks = toChunks(corpus, way.kind);
    const few = chunks.slice(0, chunksIn(way, chunks, milliseconds));
    sizes[name] = few.reduce((sum, { length }) => sum + length, 0);
    works[name] = () => {
      for (const chunk of few) way.mask(chunk);
    };
  }
  const times = await measure(works, { rounds, operations: 1 });
  return Object.fromEntries(Object.entries(times).map(([name, time]) => [name, (sizes[name] ?? 0) / time]));
}

/** @param {string} corpus @param {import("./create-ways.mjs").Kind} kind @returns {(string | Buffer)[]} */
function toChunks(corpus, kind) {
  const count = Math.ceil(corpus.length / CHUNK);
  if (kind === "text") {
    // A slice of a string refers to the whole; a way should not pay for that, nor gain by it.
    const bytes = Buffer.from(corpus, "latin1");
    return Array.from({ length: count }, (_, index) => bytes.toString("latin1", index * CHUNK, (index + 1) * CHUNK));
  }
  const bytes = Buffer.from(corpus, "latin1");
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * CHUNK, (index + 1) * CHUNK));
}

/** As many chunks as it masks in its time once it is warm. @param {Way} way @param {readonly (string | Buffer)[]} chunks @param {number} milliseconds */
function chunksIn(way, chunks, milliseconds) {
  let time = 0;
  for (let count = 1; count <= chunks.length; count *= 2) {
    time = 0;
    for (let turn = 0; turn < 3 && time * count < 4 * milliseconds; turn++) {
      const start = process.cpuUsage();
      for (const chunk of chunks.slice(0, count)) way.mask(chunk);
      const { user, system } = process.cpuUsage(start);
      time = (user + system) / 1000 / count;
    }
    if (time * count > milliseconds) break;
  }
  return Math.max(1, Math.min(chunks.length, Math.floor(milliseconds / time)));
}
