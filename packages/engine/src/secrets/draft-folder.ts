import { lstatSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateFolder } from "@autokestra/secrets-files";
import { toStoreError } from "./to-store-error.ts";

const NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/;

/** No store takes so long to build: what is older belongs to a process that was killed. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/**
 * Lets `work` build a store in a folder of its own inside the folder of a store, and removes that folder afterwards.
 *
 * @throws what `work` throws; AutokestraError `STORE_UNAVAILABLE` for an error of the file system
 */
export async function withDraftFolder<T>(folder: string, work: (draft: string) => Promise<T>): Promise<T> {
  const draft = join(folder, `${crypto.randomUUID()}.draft`);
  try {
    makePrivateFolder(draft);
    return await work(draft);
  } catch (error) {
    throw toStoreError(error, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Removes what processes have left that were killed a day ago. */
export function sweepDraftFolders(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!NAME.test(name)) continue;
    const { mtimeMs = Number.POSITIVE_INFINITY } = lstatSync(join(folder, name), { throwIfNoEntry: false }) ?? {};
    if (mtimeMs < Date.now() - ABANDONED_MS) rmSync(join(folder, name), { recursive: true, force: true });
  }
}
