import { setImmediate } from "node:timers/promises";
import type { SecretName, SecretStore } from "@autokestra/secrets-core";

/** So many are looked at together: what comes and goes meanwhile is met or not. */
const PAGE = 1000;

/**
 * The names of all secrets in a store, deleted ones too, page by page in their order. Between two pages timers get their turn: the
 * lock of a file store is lost where it is not renewed.
 */
export async function* namePages(store: SecretStore): AsyncGenerator<readonly SecretName[]> {
  let after: string | undefined;
  for (;;) {
    const page = await store.names({ after, limit: PAGE });
    if (page.length > 0) yield page;
    after = page.at(-1);
    await setImmediate();
    if (page.length < PAGE) return;
  }
}

/** True for a store that nothing was ever sealed in. */
export async function isEmptyStore(store: SecretStore): Promise<boolean> {
  return (await store.readHeader()) === null && (await store.names({ limit: 1 })).length === 0;
}

/** How many secrets there are, deleted ones too. */
export async function countNames(store: SecretStore): Promise<number> {
  let count = 0;
  for await (const names of namePages(store)) count += names.length;
  return count;
}
