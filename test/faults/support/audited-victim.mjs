// Reads and changes secrets whose audit log is on, several at once, until it is killed or was refused often enough, and says on a line
// what it was given or told.
// Arguments: folder, id of the actor, how often it is refused at most.
import { writeSync } from "node:fs";
import { openSecretsManager } from "../../../packages/secrets/dist/index.js";
import { keyed, placeOf } from "./installation.mjs";

const NAMES = ["S0", "S1", "S2"];
/** What is read at once: their records share a transaction. */
const READS = [...NAMES, ...NAMES, "S0"];

const [folder = "", id = "", maxRefused] = process.argv.slice(2);
const { secrets } = await openSecretsManager({
  storagePath: placeOf(folder),
  env: keyed(folder),
  audit: true,
  actor: { kind: "user", id, address: null },
});
const counts = { refused: 0 };

/** @param {string} what @param {() => Promise<unknown>} work */
async function tell(what, work) {
  try {
    await work();
    writeSync(1, `${what}\n`);
  } catch (error) {
    writeSync(1, `refused ${error instanceof Error && "code" in error ? String(error.code) : "without a code"}\n`);
    counts.refused++;
  }
}

for (let count = 0; counts.refused < Number(maxRefused); count++) {
  const fields = { value: `value ${count} of ${id}` };
  await Promise.all(NAMES.map((name) => tell("set", () => secrets.set({ name, type: "apiKey", fields }))));
  await Promise.all(READS.map((name) => tell("read", () => secrets.get(name))));
}
