import { errorCode } from "@autokestra/secrets-core/internal";
import { openSqliteStore } from "../src/index.ts";

/** Backs a store up under so many names, one after the other, and prints which of them were free. */
const [path = "", target = "", count = "1"] = process.argv.slice(2);
const store = await openSqliteStore(path);
const made: number[] = [];
for (let index = 0; index < Number(count); index++) {
  try {
    await store.backup(`${target}${index}`);
    made.push(index);
  } catch (error) {
    if (errorCode(error) !== "STORE_UNAVAILABLE") throw error;
  }
}
await store.close();
console.log(JSON.stringify(made));
