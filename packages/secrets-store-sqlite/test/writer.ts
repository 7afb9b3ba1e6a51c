import { readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { openSqliteStore } from "../src/index.ts";

/** Stores secrets PREFIX0, PREFIX1, … and prints the mode of every file of the store while it is open. */
const [path = "", prefix = "", count = "1"] = process.argv.slice(2);
const store = await openSqliteStore(path);
for (let index = 0; index < Number(count); index++) await putSecret(store, sampleSecret(`${prefix}${index}`));
const folder = dirname(path);
const modes = readdirSync(folder).map((name) => [name, mode(`${folder}/${name}`)]);
console.log(JSON.stringify({ folder: mode(folder), ...Object.fromEntries(modes) }));
await store.close();

function mode(place: string): string {
  return (statSync(place).mode & 0o777).toString(8);
}
