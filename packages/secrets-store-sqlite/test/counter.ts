import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { openSqliteStore } from "../src/index.ts";

/** Puts the next version of A so many times, again where another process was faster, and prints how often it has. */
const [path = "", times = ""] = process.argv.slice(2);
const store = await openSqliteStore(path, { busyTimeoutMs: 20_000 });
let written = 0;
while (written < Number(times)) {
  const current = (await store.get(parseSecretName("A")))?.metadata ?? null;
  try {
    await putSecret(store, sampleSecret("A", { version: (current?.version ?? 0) + 1 }), current);
    written += 1;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "VERSION_CONFLICT")) throw error;
  }
}
await store.close();
console.log(written);
