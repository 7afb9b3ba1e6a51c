import { openFileStore } from "../src/index.ts";

/** Upgrades a store, and prints whether it was this process that did. Ends itself in the middle where it is told to. */
const [path = "", mac = "", end = ""] = process.argv.slice(2);
const store = await openFileStore(path, { create: false, lockTimeoutMs: 20_000 });
const upgraded = await store.upgrade("upgraded", await store.readHeader(), () => {
  if (end === "in the middle") process.kill(process.pid, "SIGKILL");
  return mac;
});
console.log(upgraded);
await store.close();
