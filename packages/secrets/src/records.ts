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
import type { KeyManager } from "@autokestra/secrets-crypto";
import type { FolderDriver } from "./drivers.ts";

/** The number of records in a store. */
export interface StoreCount {
  /** The number of secrets, including deleted ones. */
  readonly secrets: number;
  /** The number of versions of all secrets. */
  readonly versions: number;
}

/**
 * Creates and fills a store, and closes it so that its one file is complete.
 *
 * @param path the path of the new file
 * @throws AutokestraError `STORE_UNAVAILABLE` if stores of this driver cannot be filled; what `fill` throws
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
 * Copies header, anchors and all versions of all secrets into a new store. Call it while no process writes.
 *
 * @param from a store in layout 2
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

/**
 * Inserts secrets. If the new store refuses one, the old store was changed by another program.
 *
 * @throws AutokestraError `STORE_CORRUPT`
 */
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

/** Copies the header and the anchors. */
export async function copyHeader(from: SecretStore, to: SecretStore): Promise<void> {
  const header = await from.readHeader();
  if (header !== null && !(await to.writeHeader(header, null))) throw new TypeError("the store is not a new one");
  for (const anchor of await from.anchors()) await to.writeAnchor(anchor, null);
}

/** The number of secrets that are verified before other work of this process has a turn. */
const VERIFIED_AT_ONCE = 10;

/** The number of ids that are read at a time. */
const PAGE = 1000;

/**
 * Returns the ids of all secrets, including deleted ones, page by page. A secret that is added or removed in the
 * meantime may or may not be among them. Timers run between two pages, because the lock of a file store must be
 * renewed.
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

/** Tells whether nothing was ever stored. */
export async function isEmptyStore(store: SecretStore): Promise<boolean> {
  return (await store.readHeader()) === null && (await store.ids({ limit: 1 })).length === 0;
}

/** Returns the number of secrets, including deleted ones. */
export async function countSecrets(store: SecretStore): Promise<number> {
  let count = 0;
  for await (const ids of idPages(store)) count += ids.length;
  return count;
}

/** The result of verifying the records of a store. */
export interface VerifiedRecords extends StoreCount {
  /** One sentence for each record with a problem, ordered by name. */
  readonly problems: readonly string[];
}

/** Called with the number of secrets that were verified, and their total. */
export type OnVerified = (done: number, total: number) => void;

/** A store with its encryption. */
export interface KeyedStore {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
}

/**
 * Decrypts every version of every secret, including deleted ones, and verifies the metadata. A problem becomes a
 * sentence and does not stop the verification. Only this function tells a data key that is not found from a changed
 * record. Others can write meanwhile, and renew the data key.
 */
export async function verifyRecords(
  { store, encryption, keys }: KeyedStore & { readonly keys: Pick<KeyManager, "forDecrypt"> },
  onVerified: OnVerified = () => undefined,
): Promise<VerifiedRecords> {
  const total = await countSecrets(store);
  const problems: string[] = [];
  const count = { secrets: 0, versions: 0 };

  async function problemOf({ metadata, envelope }: EncryptedSecret): Promise<string | null> {
    const what = `'${metadata.name}', version ${metadata.version},`;
    if ((await keys.forDecrypt(envelope.keyId)).find(envelope.keyId) === null) {
      return `${what} is encrypted under the data key ${envelope.keyId}, which is not here: the store or the record is from another time`;
    }
    const opens = await succeeds(async () => await encryption.decrypt(metadata, envelope));
    return opens ? null : `${what} was changed since it was encrypted`;
  }

  async function verifySecret(id: string): Promise<{ readonly versions: number; readonly problems: string[] }> {
    const found: string[] = [];
    try {
      const versions = await store.versions(id);
      const [current] = versions;
      if (current !== undefined && !(await succeeds(async () => await encryption.verify(current)))) {
        found.push(
          `'${current.metadata.name}' is not as it was written last: its metadata, or which version is current`,
        );
      }
      for (const encrypted of versions) {
        const problem = await problemOf(encrypted);
        if (problem !== null) found.push(problem);
      }
      return { versions: versions.length, problems: found };
    } catch (error) {
      if (!hasCode(error, "STORE_CORRUPT")) throw error;
      return { versions: 0, problems: [...found, error.message] };
    }
  }

  for await (const ids of idPages(store)) {
    for (const id of ids) {
      const first = await verifySecret(id);
      // It may have been encrypted again since it was read, and its data key destroyed.
      const verified = first.problems.length === 0 ? first : await verifySecret(id);
      problems.push(...verified.problems);
      count.versions += verified.versions;
      count.secrets += 1;
      onVerified(count.secrets, total);
      if (count.secrets % VERIFIED_AT_ONCE === 0) await setImmediate();
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
