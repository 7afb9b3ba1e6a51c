// Executes one operation per line, and acknowledges each; then it exits.
// usage: node executor.mjs FOLDER BACKEND
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { backUpStore, migrateStore, openSecrets, restoreBackup } from "../../../packages/secrets/dist/index.js";
import { labelOf } from "./model.mjs";

/** @import { Operation } from "./model.mjs" */

const [folder = "", backend] = process.argv.slice(2);
const place = { storagePath: join(folder, "secrets") };
let secrets = await openSecrets({ ...place, backend });

/** @param {Operation} operation */
async function perform(operation) {
  switch (operation.kind) {
    case "set":
      return await set(operation.values, operation.serial);
    case "delete":
      return await secrets.delete(operation.name);
    case "purge":
      return await secrets.delete(operation.name, { purge: true });
    case "restore":
      return await restore(operation);
    case "rollback":
      return await secrets.rollback(operation.name, operation.to);
    case "edit":
      return await secrets.edit(operation.name, {
        description: operation.description,
        expiresAt: operation.expiresAt,
      });
    case "rename":
      return await secrets.rename(operation.name, operation.to);
    case "backup":
      return await backUpStore(place, join(folder, operation.file));
    case "migrate":
      return await alone(async () => await migrateStore(place, operation.to));
    case "restore-backup":
      return await alone(async () => await restoreBackup(place, join(folder, operation.file)));
  }
}

/** A secret that is new has its label as a tag, and keeps it. @param {Readonly<Record<string, string>>} values @param {number} serial */
async function set(values, serial) {
  const inputs = Object.entries(values).map(async ([name, value]) => ({
    name,
    type: /** @type {const} */ ("apiKey"),
    fields: { value },
    ...((await secrets.find(name)) === null ? { tags: [labelOf(name, serial)] } : {}),
  }));
  return await secrets.setAll(await Promise.all(inputs));
}

/** @param {Extract<Operation, { kind: "restore" }>} operation */
async function restore({ name, label, isNewest }) {
  if (isNewest) return await secrets.restore(name);
  const [found] = await secrets.list({ state: "deleted", name, tags: [label] });
  return await secrets.restore(name, { id: found?.id });
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
