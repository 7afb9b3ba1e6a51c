import { writeSync } from "node:fs";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { openFileStore } from "../src/index.ts";

/** Stores secrets PREFIX0, PREFIX1, … and prints the name of each when it is stored. */
const [path = "", prefix = "", count = "1"] = process.argv.slice(2);
const store = await openFileStore(path, { lockTimeoutMs: 20_000 });
for (let index = 0; index < Number(count); index++) {
  const name = `${prefix}${index}`;
  await putSecret(store, sampleSecret(name));
  // Not console.log: what it prints into a pipe may be lost when the process is killed.
  writeSync(1, `${name}\n`);
}
await store.close();
