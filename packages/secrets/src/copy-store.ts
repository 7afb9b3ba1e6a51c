import { AutokestraError, hasCode, type SealedSecret, type SecretStoreFile } from "@autokestra/secrets-core";
import { idPages } from "./id-pages.ts";
import { type Backend, openStoreFile } from "./store-backend.ts";

/** What there is in a store. */
export interface StoreCount {
  /** Deleted ones too. */
  readonly secrets: number;
  /** All versions of all of them. */
  readonly versions: number;
}

/**
 * Copies header, secrets with their versions, and anchors into a new store. To be called while nobody writes.
 *
 * @param from in layout 2
 * @param path where the new store is made; afterwards all of it is in this one file
 */
export async function copyStore(from: SecretStoreFile, backend: Backend, path: string): Promise<StoreCount> {
  const to = await openStoreFile(backend, path, true);
  try {
    await copyHeader(from, to);
    const count = { secrets: 0, versions: 0 };
    for await (const ids of idPages(from)) {
      const histories: (readonly SealedSecret[])[] = [];
      for (const id of ids) histories.push((await from.history(id)).toReversed());
      await load(to, histories);
      count.secrets += histories.length;
      count.versions += histories.reduce((sum, versions) => sum + versions.length, 0);
    }
    await to.exclusively(async () => undefined);
    return count;
  } finally {
    await to.close();
  }
}

/** What no store takes is in none that only autokestra has written to. @throws AutokestraError `STORE_CORRUPT` */
async function load(to: SecretStoreFile, histories: readonly (readonly SealedSecret[])[]): Promise<void> {
  try {
    await to.load(histories);
  } catch (error) {
    if (!hasCode(error, "NAME_INVALID", "VALUE_INVALID", "SECRET_EXISTS")) throw error;
    throw new AutokestraError("STORE_CORRUPT", error.message, {
      hint: "It was changed outside of autokestra. Restore the store from a backup, or remove this secret for good and set it again.",
    });
  }
}

/** Copies what is not a secret: the header and the anchors. */
export async function copyHeader(from: SecretStoreFile, to: SecretStoreFile): Promise<void> {
  const header = await from.readHeader();
  if (header !== null && !(await to.writeHeader(header, null))) throw new TypeError("the store is not a new one");
  for (const anchor of await from.anchors()) await to.writeAnchor(anchor, null);
}
