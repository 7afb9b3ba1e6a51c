import { copyStore, type StoreCount } from "./copy-store.ts";
import { noStoreYet } from "./no-store-yet.ts";
import { findStore, type StoreOptions, storeFolder } from "./open-store.ts";
import { replaceStore } from "./replace-store.ts";
import { openStoreFile, parseBackend } from "./store-backend.ts";

export interface MigrationReport extends StoreCount {
  readonly from: string;
  readonly to: string;
  /** Where the old store is kept; null where it was of this kind already and nothing was done. */
  readonly kept: string | null;
}

/**
 * Moves all secrets with their versions into a store of another kind: all or nothing, sealed as they are, so that no key is
 * needed. The old store is kept under another name. No other process may have it open.
 *
 * @param to `sqlite` or `file`
 * @throws AutokestraError `USAGE`, `STORE_UNAVAILABLE` (none there, in use), `STORE_CORRUPT`
 */
export async function migrateStore(options: StoreOptions, to: string): Promise<MigrationReport> {
  const next = parseBackend(to);
  const found = await findStore({ ...options, backend: "auto" });
  if (found === null) throw noStoreYet(storeFolder(options));
  const { folder, backend, store } = found;
  try {
    if (backend === next) return { from: backend, to: next, secrets: 0, versions: 0, kept: null };
    const { made, kept } = await store.exclusively(
      async () =>
        await replaceStore(folder, backend, next, async (path) => {
          const target = await openStoreFile(next, path, true);
          try {
            return await copyStore(store, target);
          } finally {
            await target.close();
          }
        }),
    );
    return { from: backend, to: next, ...made, kept };
  } finally {
    await store.close();
  }
}
