// Sets, deletes, restores and purges one name, again and again, and prints how many changes it has made.
// usage: node changer.mjs FOLDER SECONDS
import { openSecrets } from "../../../packages/secrets/dist/index.js";

const [folder = "", seconds = "0"] = process.argv.slice(2);
const secrets = await openSecrets({ storagePath: folder });
let changes = 0;

/** @type {readonly (() => Promise<unknown>)[]} */
const steps = [set, set, remove, restore, set, remove, set, purge, set, remove, purge];

async function set() {
  await secrets.set({ name: "SAME", type: "apiKey", fields: { value: `value ${changes}` } });
}

async function remove() {
  await secrets.delete("SAME");
}

async function restore() {
  await secrets.restore("SAME");
}

async function purge() {
  await secrets.delete("SAME", { purge: true });
}

const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end) {
  for (const step of steps) {
    await step();
    changes += 1;
  }
  await new Promise((done) => setImmediate(done));
}
await secrets.close();
console.log(String(changes));
