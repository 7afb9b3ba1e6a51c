// Does what it is told, one operation a line, and acknowledges each; then it closes.
// usage: node executor.mjs FOLDER BACKEND
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { backUpStore, migrateStore, openSecrets, restoreBackup } from "../../../packages/engine/dist/index.js";

/** @import { Operation } from "./model.mjs" */

const [folder = "", backend] = process.argv.slice(2);
const place = { storagePath: join(folder, "secrets") };
let secrets = await openSecrets({ ...place, backend });

/** @param {Operation} operation */
async function perform(operation) {
  switch (operation.kind) {
    case "set":
      return await secrets.setAll(Object.entries(operation.values).map(([name, value]) => toInput(name, value)));
    case "delete":
      return await secrets.delete(operation.name);
    case "purge":
      return await secrets.delete(operation.name, { purge: true });
    case "restore":
      return await secrets.restore(operation.name);
    case "rollback":
      return await secrets.rollback(operation.name, operation.to);
    case "backup":
      return await backUpStore(place, join(folder, operation.file));
    case "migrate":
      return await alone(async () => await migrateStore(place, operation.to));
    case "restore-backup":
      return await alone(async () => await restoreBackup(place, join(folder, operation.file)));
  }
}

/** @param {string} name @param {string} value */
function toInput(name, value) {
  return { name, type: /** @type {const} */ ("apiKey"), fields: { value } };
}

/** With the store closed, as it must be for what replaces it. @param {() => Promise<unknown>} work */
async function alone(work) {
  await secrets.close();
  await work();
  secrets = await openSecrets(place);
}

writeSync(1, "open\n");
for await (const line of createInterface({ input: process.stdin })) {
  await perform(JSON.parse(line));
  writeSync(1, "done\n");
}
await secrets.close();
