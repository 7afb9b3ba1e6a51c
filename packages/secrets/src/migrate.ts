import { join } from "node:path";
import { requireAbilities } from "@autokestra/secrets-core/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { type FolderDriver, parseDriver } from "./drivers.ts";
import { storeFolder } from "./folders.ts";
import { openSecretsManager, type SecretsOptions } from "./manager.ts";
import { type FolderStore, findInFolder, noStoreYet } from "./open-store.ts";
import { buildStore, copyStore, type StoreCount } from "./records.ts";
import { replaceStore, withTemporaryFolder } from "./replace-store.ts";

export interface MigrationReport extends StoreCount {
  /** The names of the drivers. */
  readonly from: string;
  readonly to: string;
  /** Where the old store is kept; null where it had this driver already and nothing was done. */
  readonly kept: string | null;
}

/**
 * Moves all secrets with their versions into a store of another driver: all or nothing, encrypted as they are, so that no key is
 * needed; only a store that an earlier version of autokestra has written is first upgraded, which needs its key. The old store is
 * kept under another name. No other process may have it open.
 *
 * @param to `sqlite` or `file`
 * @throws AutokestraError `OPTION_INVALID`, `STORE_UNAVAILABLE` (none there, in use), `STORE_CORRUPT`; `KEY_*` where it must be upgraded
 */
export async function migrateStore(options: SecretsOptions, to: string): Promise<MigrationReport> {
  return await recordOperation(options, "migrate", async () => await migrate(options, to));
}

async function migrate(options: SecretsOptions, to: string): Promise<MigrationReport> {
  const next = parseDriver(to);
  const { folder, driver: current, store } = await findUpgraded(storeFolder(options), options, next);
  try {
    if (current === next) return { from: current.name, to: next.name, secrets: 0, versions: 0, kept: null };
    return await requireAbilities(store, "exclusively").exclusively(
      async (isUnchanged) =>
        await withTemporaryFolder(folder, async (temporary) => {
          const path = join(temporary, next.file);
          const count = await buildStore(next, path, async (built) => await copyStore(store, built));
          const kept = replaceStore({ folder, current, next, path, isUnchanged, keep: true });
          return { from: current.name, to: next.name, ...count, kept };
        }),
    );
  } finally {
    await store.close();
  }
}

/** The store that is there, in today's layout if it is to be moved. */
async function findUpgraded(folder: string, options: SecretsOptions, next: FolderDriver): Promise<FolderStore> {
  const found = await findInFolder(folder, options, "any");
  if (found === null) throw noStoreYet({ kind: "folder", path: folder });
  if (found.driver === next || (await found.store.layout()) === 2) return found;
  await found.store.close();
  const { keys, secrets } = await openSecretsManager({ ...options, backend: found.driver.name, create: false });
  try {
    await keys.forEncrypt(0);
  } finally {
    await secrets.close();
  }
  return await findUpgraded(folder, options, next);
}
