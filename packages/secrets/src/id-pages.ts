import { setImmediate } from "node:timers/promises";
import type { SecretStore } from "@autokestra/secrets-core";

/** So many are looked at together: what comes and goes meanwhile is met or not. */
const PAGE = 1000;

/**
 * The ids of all secrets in a store, including deleted ones, page by page in their order. Between two pages timers get their turn:
 * the lock of a file store is lost where it is not renewed.
 */
export async function* idPages(store: SecretStore): AsyncGenerator<readonly string[]> {
  let after: string | undefined;
  for (;;) {
    const page = await store.ids({ after, limit: PAGE });
    if (page.length > 0) yield page;
    after = page.at(-1);
    await setImmediate();
    if (page.length < PAGE) return;
  }
}

/** True for a store that nothing was ever sealed in. */
export async function isEmptyStore(store: SecretStore): Promise<boolean> {
  return (await store.readHeader()) === null && (await store.ids({ limit: 1 })).length === 0;
}

/** How many secrets there are, including deleted ones. */
export async function countSecrets(store: SecretStore): Promise<number> {
  let count = 0;
  for await (const ids of idPages(store)) count += ids.length;
  return count;
}
