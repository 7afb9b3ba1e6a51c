import { openFileStore } from "../src/index.ts";

/** Makes backups of a store, PREFIX0, PREFIX1, …, and prints how many of them it has made and not another process. */
const [path = "", prefix = "", count = "1"] = process.argv.slice(2);
const store = await openFileStore(path, { create: false });
let made = 0;
for (let index = 0; index < Number(count); index++) {
  made += await store.backup(`${prefix}${index}`).then(
    () => 1,
    () => 0,
  );
}
console.log(made);
await store.close();
