// Reads one name in every way, again and again, and counts the answers.
// usage: node reader.mjs FOLDER SECONDS

import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { AutokestraError } from "../../../packages/secrets-core/dist/index.js";

const [folder = "", seconds = "0"] = process.argv.slice(2);
const { secrets, store } = await openSecretsManager({ storagePath: folder, create: false });

/** @type {readonly (() => Promise<unknown>)[]} */
const reads = [
  async () => await secrets.get("SAME"),
  async () => await secrets.describe("SAME"),
  async () => await secrets.versions("SAME"),
  async () => await secrets.list({ prefix: "SAM", state: "all" }),
  async () => await store.list({ state: "deleted" }),
  async () => await secrets.get("SAME", { atVersion: 1 }).catch(ignoreMissingVersion),
];

/** Sometimes there is no first version any more. @param {unknown} error */
function ignoreMissingVersion(error) {
  if (!(error instanceof AutokestraError) || error.code !== "VERSION_NOT_FOUND") throw error;
}

/** @type {Record<string, number>} */
const answers = {};
let count = 0;

/** @param {() => Promise<unknown>} read */
async function answerOf(read) {
  try {
    await read();
    return "value";
  } catch (error) {
    return error instanceof AutokestraError && error.code.startsWith("SECRET_") ? error.code : String(error);
  }
}

const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  for (const read of reads) {
    const answer = await answerOf(read);
    answers[answer] = (answers[answer] ?? 0) + 1;
    count += 1;
  }
  if (count % 50 === 0) await new Promise((done) => setImmediate(done));
}
await secrets.close();
console.log(JSON.stringify({ reads: count, answers }));
