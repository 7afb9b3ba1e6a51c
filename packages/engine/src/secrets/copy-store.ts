import type { SecretStore, SecretStoreFile } from "@autokestra/secrets-core";
import { namePages } from "./name-pages.ts";

/** What there is in a store. */
export interface StoreCount {
  /** Deleted ones too. */
  readonly secrets: number;
  /** All versions of all of them. */
  readonly versions: number;
}

/** Copies header and secrets, with their versions and deleted ones too, into an empty store. To be called while nobody writes. */
export async function copyStore(from: SecretStore, to: SecretStoreFile): Promise<StoreCount> {
  const header = await from.readHeader();
  if (header !== null) await to.writeHeader(header, null);
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
