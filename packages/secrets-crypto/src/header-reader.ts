import {
  AutokestraError,
  type KeySearch,
  type MasterKey,
  type MasterKeyProvider,
  type SecretStore,
} from "@autokestra/secrets-core";
import { parseHeader, type ReadHeader } from "./header.ts";
import { deriveKeys, headerBroken, stretchingOf } from "./key-derivation.ts";
import type { RememberedStore, StoreMemory } from "./key-source/known-stores.ts";
import { headerTampered, type Keyring, openKeyring, wipeDerived } from "./keyring.ts";

/** How often a key is looked for while a rotation in another process may be replacing it. */
const ATTEMPTS = 3;

export interface KeyManagerOptions {
  /** What is remembered of the store: only a named key then opens an older state. Default: nothing. */
  readonly memory?: StoreMemory | undefined;
  /**
   * Called once if the store was opened with another key than the one that new stores get. Default: nothing is called.
   */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Reads and opens the header of a store, while other processes may change it or the key file. Writes nothing. */
export class HeaderReader {
  /** The master key was named by the user or created here: it may open older states too. */
  isGiven = false;
  readonly #store: Pick<SecretStore, "layout" | "readHeader" | "ids">;
  readonly #provider: MasterKeyProvider;
  readonly #options: KeyManagerOptions;
  #isNoticed = false;

  constructor(
    store: Pick<SecretStore, "layout" | "readHeader" | "ids">,
    provider: MasterKeyProvider,
    options: KeyManagerOptions,
  ) {
    this.#store = store;
    this.#provider = provider;
    this.#options = options;
  }

  /**
   * @param latest the keyring of this store that was opened last. It is returned if the header is the same, and used to
   * open a later header under the same master key
   * @returns null if the store has neither a header nor records
   */
  async read(latest: Keyring | null): Promise<Keyring | null> {
    const keyring = await this.#readAgain(latest);
    if (keyring !== null) return keyring;
    const hasRecords = (await this.#store.ids({ limit: 1 })).length > 0;
    // Again after looking for records: another process may have created the header and the first record since.
    const later = await this.#readAgain(latest);
    if (later === null && hasRecords) throw headerBroken("is missing although there are records");
    return later;
  }

  /** Tries again if no key fits: a rotation in another process changes the header before the key file. */
  async #readAgain(latest: Keyring | null): Promise<Keyring | null> {
    for (let attempt = 1; ; attempt++) {
      const text = await this.#readText(latest);
      if (text === null) return null;
      if (text === latest?.text) return latest;
      const result = await this.#open(text, latest);
      if (!(result instanceof AutokestraError)) return result;
      if (attempt >= ATTEMPTS && (await this.#store.readHeader()) === text) throw result;
    }
  }

  /** Returns the stored header. Its format must match the layout, so that nobody can put an older one back. */
  async #readText(latest: Keyring | null): Promise<string | null> {
    for (;;) {
      const text = await this.#store.readHeader();
      if (text === null) return null;
      if (text === latest?.text && latest.header.format !== 1) return text;
      const layout = await this.#store.layout();
      // Another process may have upgraded the store between the two reads.
      if ((await this.#store.readHeader()) !== text) continue;
      if (parseHeader(text).header.format !== layout) throw headerTampered();
      return text;
    }
  }

  /** @returns an error for the caller to throw if it occurs again */
  async #open(text: string, latest: Keyring | null): Promise<Keyring | AutokestraError> {
    const followed = latest?.follow(text) ?? null;
    const found =
      followed === null
        ? await findKeyring(text, this.#provider)
        : { keyring: followed, isGiven: this.isGiven, isOtherKey: false };
    if (found instanceof AutokestraError) return found;
    const { keyring, isGiven, isOtherKey } = found;
    const known = isGiven ? null : await this.#options.memory?.recall();
    const rollback = known ? findRollback(keyring, known) : null;
    if (rollback !== null) {
      keyring.close();
      return rollback;
    }
    this.isGiven = isGiven;
    if (isOtherKey) this.#notice(keyring);
    return keyring;
  }

  #notice({ source, fingerprint }: Keyring): void {
    if (this.#isNoticed) return;
    this.#isNoticed = true;
    this.#options.onNotice?.(
      `the secrets were opened with the key ${fingerprint} from ${source}, found beside the default`,
    );
  }
}

/** The opened keys of a header, and how their master key was found. */
interface FoundKeyring {
  readonly keyring: Keyring;
  /** The user has named the key, or the file beside which it was found. */
  readonly isGiven: boolean;
  /** It is not the key that new stores get. */
  readonly isOtherKey: boolean;
}

/** A description of a key that was tried: its source, and its fingerprint or its kind. */
type TriedKey = string;

/**
 * Looks for the master key of a header and opens the header. Writes nothing, and tries only the keys of the provider.
 *
 * @returns the error `KEY_WRONG` or `KEY_MISSING` if no key opens it, for the caller to throw after another try
 * @throws AutokestraError `INTEGRITY_FAILED` (header), and those of the provider and of `parseHeader`
 */
async function findKeyring(text: string, provider: MasterKeyProvider): Promise<FoundKeyring | AutokestraError> {
  const read = parseHeader(text);
  const search = await provider.search();
  const tried: TriedKey[] = [];
  for await (const master of search.keys(read.header.fingerprint)) {
    const result = await tryKey(text, read, master);
    if (typeof result !== "string") {
      return { keyring: result, isGiven: search.isGiven, isOtherKey: master.source !== search.first?.source };
    }
    tried.push(`${master.source} (${result})`);
  }
  const { fingerprint } = read.header;
  const elsewhere = fingerprint === null ? null : await search.elsewhere(fingerprint);
  return tried.length === 0 ? keyMissing(read, search, elsewhere) : keyWrong(read, search, tried, elsewhere);
}

/** @returns the opened keys, or a description of the key if it is not the right one */
async function tryKey(text: string, read: ReadHeader, master: MasterKey): Promise<Keyring | string> {
  const { kdf } = read.header;
  const bytes = await master.bytes(stretchingOf(kdf));
  if (bytes === null) return master.kind === "passphrase" ? "a passphrase" : "a key of 32 bytes";
  const keys = deriveKeys(kdf, bytes);
  bytes.fill(0);
  try {
    return openKeyring(text, read, keys, master.source) ?? keys.fingerprint;
  } finally {
    wipeDerived(keys);
  }
}

function keyWrong(
  read: ReadHeader,
  { places }: KeySearch,
  tried: readonly TriedKey[],
  elsewhere: string | null,
): AutokestraError {
  const [only] = tried;
  const what =
    tried.length === 1 ? `The master key from ${only} is not` : `None of the master keys ${tried.join(", ")} is`;
  return new AutokestraError("KEY_WRONG", `${what} the key of these secrets, which is ${nameOf(read)}`, {
    hint: `${locationHint(elsewhere)} Looked at: ${places.join("; ")}.`,
  });
}

function keyMissing(read: ReadHeader, { places }: KeySearch, elsewhere: string | null): AutokestraError {
  const message = `There are secrets here, but their master key was not found: ${nameOf(read)}`;
  return new AutokestraError("KEY_MISSING", message, {
    hint: `${locationHint(elsewhere)} No new key is created for a store that has secrets. Looked at: ${places.join("; ")}.`,
  });
}

/** Only a named key is tried. The hint says where the right one is. */
function locationHint(elsewhere: string | null): string {
  return elsewhere === null
    ? "Name the key that they were made with."
    : `That key is in ${elsewhere}, which is used where no other key is named.`;
}

function nameOf({ header }: ReadHeader): string {
  return header.fingerprint ?? "unknown (older format)";
}

/**
 * Returns an error if the store is not the one that was last opened here, or if it is an older state of it. For keys
 * that nobody has named: otherwise an old key that is kept beside the new one would undo a rotation for anybody who
 * puts the old header back.
 */
function findRollback({ header, fingerprint, epoch }: Keyring, known: RememberedStore): AutokestraError | null {
  const isLeft = fingerprint !== known.fingerprint && known.left.includes(fingerprint);
  const isOlder = epoch < known.epoch || isLeft;
  if (header.storeId === known.storeId && !isOlder) return null;
  const newest =
    header.dataKeys
      .map(({ createdAt }) => createdAt)
      .toSorted()
      .at(-1) ?? "";
  const what = header.storeId === known.storeId ? "an older state of the store" : "another store than the one";
  return new AutokestraError(
    "STORE_ROLLED_BACK",
    `This is ${what} that was opened here on ${known.openedAt} with the key ${known.fingerprint}: its key is ${fingerprint}, its newest data key was made on ${newest}`,
    { hint: "To open it anyway, name its key explicitly." },
  );
}
