import { AutokestraError, parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { openFileStore } from "../src/index.ts";

/** Raises the version of the secret COUNTER this many times, and starts again where another process was faster. */
const [path = "", count = "1"] = process.argv.slice(2);
const store = await openFileStore(path, { lockTimeoutMs: 20_000 });
for (let raised = 0; raised < Number(count); ) {
  const current = (await store.get(parseSecretName("COUNTER")))?.metadata ?? null;
  try {
    await putSecret(store, sampleSecret("COUNTER", { version: (current?.version ?? 0) + 1 }), current);
    raised += 1;
  } catch (error) {
    const isRace = error instanceof AutokestraError && /^(VERSION_CONFLICT|SECRET_EXISTS)$/.test(error.code);
    if (!isRace) throw error;
  }
}
await store.close();
