import { setImmediate } from "node:timers/promises";
import {
  AutokestraError,
  type BulkInsert,
  type EncryptedSecret,
  hasCode,
  type SecretEncryption,
  type SecretStore,
} from "@autokestra/secrets-core";
import { requireAbilities } from "@autokestra/secrets-core/internal";
import type { Keyring } from "@autokestra/secrets-crypto";
import type { FolderDriver } from "./drivers.ts";

/** What there is in a store. */
export interface StoreCount {
  /** Deleted ones too. */
  readonly secrets: number;
  /** All versions of all of them. */
  readonly versions: number;
}

/**
 * Makes a store and fills it; afterwards all of it is in its one file.
 *
 * @param path where there is nothing yet
 * @throws AutokestraError `STORE_UNAVAILABLE` where stores of this driver cannot be filled; what `fill` throws
 */
export async function buildStore<T>(
  driver: FolderDriver,
  path: string,
  fill: (store: SecretStore & BulkInsert) => Promise<T>,
): Promise<T> {
  const opened = await driver.open(path, true);
  try {
    const store = requireAbilities(opened, "bulkInsert", "exclusively");
    const result = await fill(store);
    await store.exclusively(async () => undefined);
    return result;
  } finally {
    await opened.close();
  }
}

/**
 * Copies header, secrets with their versions, and anchors into a new store. To be called while nobody writes.
 *
 * @param from in layout 2
 */
export async function copyStore(from: SecretStore, to: SecretStore & BulkInsert): Promise<StoreCount> {
  await copyHeader(from, to);
  const count = { secrets: 0, versions: 0 };
  for await (const ids of idPages(from)) {
    const secrets: (readonly EncryptedSecret[])[] = [];
    for (const id of ids) secrets.push((await from.versions(id)).toReversed());
    await insert(to, secrets);
    count.secrets += secrets.length;
    count.versions += secrets.reduce((sum, versions) => sum + versions.length, 0);
  }
  return count;
}

/** What no store takes is in none that only autokestra has written to. @throws AutokestraError `STORE_CORRUPT` */
async function insert(to: BulkInsert, secrets: readonly (readonly EncryptedSecret[])[]): Promise<void> {
  try {
    await to.bulkInsert(secrets);
  } catch (error) {
    if (!hasCode(error, "NAME_INVALID", "VALUE_INVALID", "SECRET_EXISTS")) throw error;
    throw new AutokestraError("STORE_CORRUPT", error.message, {
      hint: "It was changed outside of autokestra. Restore the store from a backup, or remove this secret for good and set it again.",
    });
  }
}

/** Copies what is not a secret: the header and the anchors. */
export async function copyHeader(from: SecretStore, to: SecretStore): Promise<void> {
  const header = await from.readHeader();
  if (header !== null && !(await to.writeHeader(header, null))) throw new TypeError("the store is not a new one");
  for (const anchor of await from.anchors()) await to.writeAnchor(anchor, null);
}

/** So many are looked at together: what comes and goes meanwhile is met or not. */
const PAGE = 1000;

/**
 * The ids of all secrets in a store, including deleted ones, page by page in their order. Between two pages timers get their turn:
 * the lock of a file store is lost where it is not renewed.
 */
export async function* idPages(store: SecretStore): AsyncGenerator<readonly string[]> {
  let after: string | undefined;
  for (;;) {
    const page = await store.ids({ after, limit: PAGE });
    if (page.length > 0) yield page;
    after = page.at(-1);
    await setImmediate();
    if (page.length < PAGE) return;
  }
}

/** True for a store that nothing was ever encrypted in. */
export async function isEmptyStore(store: SecretStore): Promise<boolean> {
  return (await store.readHeader()) === null && (await store.ids({ limit: 1 })).length === 0;
}

/** How many secrets there are, including deleted ones. */
export async function countSecrets(store: SecretStore): Promise<number> {
  let count = 0;
  for await (const ids of idPages(store)) count += ids.length;
  return count;
}

/** What was found out about the records of a store. */
export interface Examination extends StoreCount {
  /** One sentence for each record that does not open, ordered by name. */
  readonly problems: readonly string[];
}

/** Told how many secrets were tried, of how many. */
export type OnVerified = (done: number, total: number) => void;

/** A store and what opens it. */
export interface KeyedStore {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
}

/**
 * Opens every version of every secret, including deleted ones, and checks the metadata of each. What is broken becomes a
 * sentence, and hides nothing else. Here, and only here, a missing key and a changed record are told apart.
 */
export async function verifyRecords(
  { store, encryption }: KeyedStore,
  keyring: Keyring,
  onVerified: OnVerified = () => undefined,
): Promise<Examination> {
  const total = await countSecrets(store);
  const problems: string[] = [];
  const count = { secrets: 0, versions: 0 };

  /** Null where it opens. */
  async function problemOf({ metadata, envelope }: EncryptedSecret): Promise<string | null> {
    const what = `'${metadata.name}', version ${metadata.version},`;
    if (keyring.find(envelope.keyId) === null) {
      return `${what} is encrypted under the data key ${envelope.keyId}, which is not here: the store or the record is from another time`;
    }
    const opens = await succeeds(async () => await encryption.decrypt(metadata, envelope));
    return opens ? null : `${what} was changed since it was encrypted`;
  }

  async function examine(id: string): Promise<void> {
    try {
      const versions = await store.versions(id);
      const [current] = versions;
      if (current !== undefined && !(await succeeds(async () => await encryption.verify(current)))) {
        problems.push(
          `'${current.metadata.name}' is not as it was written last: its metadata, or which version is current`,
        );
      }
      for (const encrypted of versions) {
        count.versions += 1;
        const problem = await problemOf(encrypted);
        if (problem !== null) problems.push(problem);
      }
    } catch (error) {
      if (!hasCode(error, "STORE_CORRUPT")) throw error;
      problems.push(error.message);
    }
  }

  for await (const ids of idPages(store)) {
    for (const id of ids) {
      await examine(id);
      count.secrets += 1;
      onVerified(count.secrets, total);
    }
  }
  return { ...count, problems: problems.toSorted() };
}

async function succeeds(work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (!hasCode(error, "INTEGRITY_FAILED")) throw error;
    return false;
  }
}
