import { setTimeout } from "node:timers/promises";
import { AutokestraError } from "@autokestra/secrets-core";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { openFileStore } from "../src/index.ts";

/** Stores many secrets, and prints why that was refused once all signals that it has caused have come. */
const [path = ""] = process.argv.slice(2);
const store = await openFileStore(path);
try {
  await store.bulkInsert(Array.from({ length: 100 }, (_, index) => [sampleSecret(`S${index}`)]));
} catch (error) {
  await setTimeout(100);
  console.log(error instanceof AutokestraError ? error.message : "not ours");
}
await store.close();
