import { join } from "node:path";
import { copyStore, type StoreCount } from "./copy-store.ts";
import { withDraftFolder } from "./draft-folder.ts";
import { noStoreYet } from "./no-store-yet.ts";
import { findStore, type StoreOptions, storeFolder } from "./open-store.ts";
import { replaceStore } from "./replace-store.ts";
import { type Backend, parseBackend, STORE_FILES } from "./store-backend.ts";

export interface MigrationReport extends StoreCount {
  readonly from: Backend;
  readonly to: Backend;
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
  const found = await findStore(options, "any");
  if (found === null) throw noStoreYet(storeFolder(options));
  const { folder, backend: current, store } = found;
  try {
    if (current === next) return { from: current, to: next, secrets: 0, versions: 0, kept: null };
    return await store.exclusively(
      async (isUnchanged) =>
        await withDraftFolder(folder, async (draft) => {
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
