import { join } from "node:path";
import { type Driver, parseDriver, STORE_FILES } from "./drivers.ts";
import { storeFolder } from "./folders.ts";
import { openSecretsManager, type SecretsOptions } from "./manager.ts";
import { type FoundStore, findStore, noStoreYet } from "./open-store.ts";
import { copyStore, type StoreCount } from "./records.ts";
import { replaceStore, withTemporaryFolder } from "./replace-store.ts";

export interface MigrationReport extends StoreCount {
  readonly from: Driver;
  readonly to: Driver;
  /** Where the old store is kept; null where it was of this kind already and nothing was done. */
  readonly kept: string | null;
}

/**
 * Moves all secrets with their versions into a store of another kind: all or nothing, sealed as they are, so that no key is
 * needed; only a store that an earlier version of autokestra has written is first upgraded, which needs its key. The old store is
 * kept under another name. No other process may have it open.
 *
 * @param to `sqlite` or `file`
 * @throws AutokestraError `OPTION_INVALID`, `STORE_UNAVAILABLE` (none there, in use), `STORE_CORRUPT`; `KEY_*` where it must be upgraded
 */
export async function migrateStore(options: SecretsOptions, to: string): Promise<MigrationReport> {
  const next = parseDriver(to);
  const { folder, backend: current, store } = await findUpgraded(options, next);
  try {
    if (current === next) return { from: current, to: next, secrets: 0, versions: 0, kept: null };
    return await store.exclusively(
      async (isUnchanged) =>
        await withTemporaryFolder(folder, async (draft) => {
          const path = join(draft, STORE_FILES[next]);
          const count = await copyStore(store, next, path);
          const kept = replaceStore({ folder, current, next, path, isUnchanged, keep: true });
          return { from: current, to: next, ...count, kept };
        }),
    );
  } finally {
    await store.close();
  }
}

/** The store that is there, in today's layout if it is to be moved. */
async function findUpgraded(options: SecretsOptions, next: Driver): Promise<FoundStore> {
  const found = await findStore(options, "any");
  if (found === null) throw noStoreYet(storeFolder(options));
  if (found.backend === next || (await found.store.layout()) === 2) return found;
  await found.store.close();
  const { keys, secrets } = await openSecretsManager({ ...options, backend: found.backend, create: false });
  try {
    await keys.forEncrypt(0);
  } finally {
    await secrets.close();
  }
  return await findUpgraded(options, next);
}
