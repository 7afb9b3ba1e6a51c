import type { EncryptedSecret } from "@autokestra/secrets-core";
import { openSqliteStore } from "../src/index.ts";

/**
 * Upgrades a store of version 1, whose header is "one", and prints whether it has.
 *
 * `killedAt`: the process kills itself where the mac of this secret is asked for, the first one being 1.
 */
const [path = "", header = "", killedAt = "0"] = process.argv.slice(2);
const store = await openSqliteStore(path, { busyTimeoutMs: 20_000 });
await store.list();
let calls = 0;

function authenticate({ metadata }: EncryptedSecret): string {
  calls += 1;
  if (calls === Number(killedAt)) process.kill(process.pid, "SIGKILL");
  return `mac of ${metadata.id}`;
}

console.log(await store.upgrade(header, "one", authenticate));
await store.close();
