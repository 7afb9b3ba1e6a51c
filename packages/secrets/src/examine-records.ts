import { hasCode, type SealedSecret, type SecretEncryption, type SecretStore } from "@autokestra/secrets-core";
import type { Keyring } from "@autokestra/secrets-crypto";
import type { StoreCount } from "./copy-store.ts";
import { countSecrets, idPages } from "./id-pages.ts";

/** What was found out about the records of a store. */
export interface Examination extends StoreCount {
  /** One sentence for each record that does not open, ordered by name. */
  readonly problems: readonly string[];
}

/** Told how many secrets were tried, of how many. */
export type OnExamined = (done: number, total: number) => void;

/** A store and what opens it. */
export interface KeyedStore {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
}

/**
 * Opens every version of every secret, including deleted ones, and checks the metadata of each. What is broken becomes a
 * sentence, and hides nothing else. Here, and only here, a missing key and a changed record are told apart.
 */
export async function examineRecords(
  { store, encryption }: KeyedStore,
  keyring: Keyring,
  onExamined: OnExamined = () => undefined,
): Promise<Examination> {
  const total = await countSecrets(store);
  const problems: string[] = [];
  const count = { secrets: 0, versions: 0 };

  /** Null where it opens. */
  async function problemOf({ metadata, envelope }: SealedSecret): Promise<string | null> {
    const what = `'${metadata.name}', version ${metadata.version},`;
    if (keyring.find(envelope.keyId) === null) {
      return `${what} is sealed under the data key ${envelope.keyId}, which is not here: the store or the record is from another time`;
    }
    const opens = await succeeds(async () => await encryption.open(metadata, envelope));
    return opens ? null : `${what} was changed since it was sealed`;
  }

  async function examine(id: string): Promise<void> {
    try {
      const versions = await store.history(id);
      const [current] = versions;
      if (current !== undefined && !(await succeeds(async () => await encryption.verify(current)))) {
        problems.push(
          `'${current.metadata.name}' is not as it was written last: its metadata, or which version is current`,
        );
      }
      for (const sealed of versions) {
        count.versions += 1;
        const problem = await problemOf(sealed);
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
      onExamined(count.secrets, total);
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
