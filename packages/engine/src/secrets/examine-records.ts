import {
  hasCode,
  type SealedSecret,
  type SecretEncryption,
  type SecretName,
  type SecretStore,
} from "@autokestra/secrets-core";
import type { Keyring } from "@autokestra/secrets-crypto";
import type { StoreCount } from "./copy-store.ts";
import { countNames, namePages } from "./name-pages.ts";

/** What was found out about the records of a store. */
export interface Examination extends StoreCount {
  /** One sentence for each record that does not open. */
  readonly problems: readonly string[];
}

/** Told how many secrets were tried, of how many. */
export type OnExamined = (done: number, total: number) => void;

/**
 * Opens every version of every secret, deleted ones too. What is broken becomes a sentence, and hides nothing else. Here, and
 * only here, a missing key and a changed record are told apart.
 */
export async function examineRecords(
  { store, encryption }: { readonly store: SecretStore; readonly encryption: SecretEncryption },
  keyring: Keyring,
  onExamined: OnExamined = () => undefined,
): Promise<Examination> {
  const total = await countNames(store);
  const problems: string[] = [];
  const count = { secrets: 0, versions: 0 };

  /** Null where it opens. */
  async function problemOf({ metadata, envelope }: SealedSecret): Promise<string | null> {
    const what = `'${metadata.name}', version ${metadata.version},`;
    if (keyring.find(envelope.keyId) === null) {
      return `${what} is sealed under the data key ${envelope.keyId}, which is not here: the store or the record is from another time`;
    }
    try {
      await encryption.open(metadata, envelope);
      return null;
    } catch (error) {
      if (!hasCode(error, "INTEGRITY_FAILED")) throw error;
      return `${what} was changed since it was sealed`;
    }
  }

  async function examine(name: SecretName): Promise<void> {
    try {
      for (const sealed of await store.history(name)) {
        count.versions += 1;
        const problem = await problemOf(sealed);
        if (problem !== null) problems.push(problem);
      }
    } catch (error) {
      if (!hasCode(error, "STORE_CORRUPT")) throw error;
      problems.push(error.message);
    }
  }

  for await (const names of namePages(store)) {
    for (const name of names) {
      await examine(name);
      count.secrets += 1;
      onExamined(count.secrets, total);
    }
  }
  return { ...count, problems };
}
