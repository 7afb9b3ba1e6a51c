import type { SecretStore, SecretStoreFile } from "@autokestra/secrets-core";
import { namePages } from "./name-pages.ts";
import { type Backend, openStoreFile } from "./store-backend.ts";

/** What there is in a store. */
export interface StoreCount {
  /** Deleted ones too. */
  readonly secrets: number;
  /** All versions of all of them. */
  readonly versions: number;
}

/**
 * Copies header and secrets, with their versions and deleted ones too, into a new store. To be called while nobody writes.
 *
 * @param path where the new store is made; afterwards all of it is in this one file
 */
export async function copyStore(from: SecretStore, backend: Backend, path: string): Promise<StoreCount> {
  const to = await openStoreFile(backend, path, true);
  try {
    const count = await copyContent(from, to);
    await to.exclusively(async () => undefined);
    return count;
  } finally {
    await to.close();
  }
}

async function copyContent(from: SecretStore, to: SecretStoreFile): Promise<StoreCount> {
  const header = await from.readHeader();
  if (header !== null && !(await to.writeHeader(header, null))) throw new TypeError("the store is not a new one");
  const count = { secrets: 0, versions: 0 };
  for await (const names of namePages(from)) {
    const histories = [];
    for (const name of names) histories.push((await from.history(name)).toReversed());
    await to.load(histories);
    count.secrets += histories.length;
    count.versions += histories.reduce((sum, versions) => sum + versions.length, 0);
  }
  return count;
}
