import { rmSync } from "node:fs";
import { join } from "node:path";
import { draftPath, makePrivateFolder, sweepDeadDrafts } from "@autokestra/private-files";
import { toStoreError } from "./to-store-error.ts";

/**
 * Lets `work` build a store in a folder of its own inside the folder of a store, and removes that folder afterwards; those of
 * processes that were killed, too.
 *
 * @throws what `work` throws; AutokestraError `STORE_UNAVAILABLE` for an error of the file system
 */
export async function withDraftFolder<T>(folder: string, work: (draft: string) => Promise<T>): Promise<T> {
  const draft = draftPath(join(folder, "store"));
  try {
    sweepDeadDrafts(folder);
    makePrivateFolder(draft);
    return await work(draft);
  } catch (error) {
    throw toStoreError(error, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}
