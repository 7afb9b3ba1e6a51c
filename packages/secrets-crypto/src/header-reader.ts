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

/** How often a key is looked for while a rotation may be putting another one in its place. */
const ATTEMPTS = 3;

export interface KeyManagerOptions {
  /** What is known of the store at this place: an older state is then refused to a key that was only found. Default: nothing. */
  readonly memory?: StoreMemory | undefined;
  /** Told, once, that the store was opened with another key than the one that new stores get. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** Reads the header of a store and opens it, while others change it or the key file. Writes nothing. */
export class HeaderReader {
  /** The master key was named, or made here: it may open older states too. */
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
   * @param latest the keyring of this store that was opened last: given back where the header is the same, followed where it is a
   * later one under the same master key
   * @returns null where the store has neither a header nor records
   */
  async read(latest: Keyring | null): Promise<Keyring | null> {
    const keyring = await this.#readAgain(latest);
    if (keyring !== null) return keyring;
    const hasRecords = (await this.#store.ids({ limit: 1 })).length > 0;
    // Again, now that the records were looked at: another process may have made the header and the first of them meanwhile.
    const later = await this.#readAgain(latest);
    if (later === null && hasRecords) throw headerBroken("is missing although there are records");
    return later;
  }

  /** Looks again where no key fits: a rotation in another process changes the header first and the key file after it. */
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

  /** The stored header, of the format that belongs to the layout: an older one that was put back has no say. */
  async #readText(latest: Keyring | null): Promise<string | null> {
    for (;;) {
      const text = await this.#store.readHeader();
      if (text === null) return null;
      if (text === latest?.text && latest.header.format !== 1) return text;
      const layout = await this.#store.layout();
      // Another process may have upgraded the store between the two looks.
      if ((await this.#store.readHeader()) !== text) continue;
      if (parseHeader(text).header.format !== layout) throw headerTampered();
      return text;
    }
  }

  /** @returns an error that is to be thrown where it comes again */
  async #open(text: string, latest: Keyring | null): Promise<Keyring | AutokestraError> {
    const followed = latest?.follow(text) ?? null;
    const found =
      followed === null
        ? await findKeyring(text, this.#provider)
        : { keyring: followed, isGiven: this.isGiven, isBeside: false };
    if (found instanceof AutokestraError) return found;
    const { keyring, isGiven, isBeside } = found;
    const known = isGiven ? null : await this.#options.memory?.recall();
    const rollback = known ? findRollback(keyring, known) : null;
    if (rollback !== null) {
      keyring.close();
      return rollback;
    }
    this.isGiven = isGiven;
    if (isBeside) this.#notice(keyring);
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

/** The opened keys of a header, and how their master key was come by. */
interface FoundKeyring {
  readonly keyring: Keyring;
  /** The person has named the key, or the file that it lies beside. */
  readonly isGiven: boolean;
  /** It is another one than the key that new stores get. */
  readonly isBeside: boolean;
}

/** A key that was tried, in words: its source, and its fingerprint or its kind. */
type TriedKey = string;

/**
 * Looks for the master key of a header and opens it. Writes nothing, and tries no key that the provider does not name.
 *
 * @returns the error `KEY_WRONG` or `KEY_MISSING` where no key opens it, for the caller to throw once it has looked again
 * @throws AutokestraError `INTEGRITY_FAILED` (header), and as the provider and `parseHeader`
 */
async function findKeyring(text: string, provider: MasterKeyProvider): Promise<FoundKeyring | AutokestraError> {
  const read = parseHeader(text);
  const search = await provider.search();
  const tried: TriedKey[] = [];
  for await (const master of search.keys(read.header.fingerprint)) {
    const result = await tryKey(text, read, master);
    if (typeof result !== "string") {
      return { keyring: result, isGiven: search.isGiven, isBeside: master.source !== search.first?.source };
    }
    tried.push(`${master.source} (${result})`);
  }
  const { fingerprint } = read.header;
  const elsewhere = fingerprint === null ? null : await search.elsewhere(fingerprint);
  return tried.length === 0 ? keyMissing(read, search, elsewhere) : keyWrong(read, search, tried, elsewhere);
}

/** @returns the opened keys, or what to call a key that is another one */
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
    hint: `${whereItIs(elsewhere)} Looked at: ${places.join("; ")}.`,
  });
}

function keyMissing(read: ReadHeader, { places }: KeySearch, elsewhere: string | null): AutokestraError {
  const message = `There are secrets here, but no master key to open them: it is ${nameOf(read)}`;
  return new AutokestraError("KEY_MISSING", message, {
    hint: `${whereItIs(elsewhere)} No new key is made for a store that has secrets. Looked at: ${places.join("; ")}.`,
  });
}

/** A key that is given is tried alone: where the right one lies is only told. */
function whereItIs(elsewhere: string | null): string {
  return elsewhere === null
    ? "Name the key that they were made with."
    : `That key is in ${elsewhere}, which is used where no other key is named.`;
}

function nameOf({ header }: ReadHeader): string {
  return header.fingerprint ?? "unknown (older format)";
}

/**
 * What is wrong with a store that only a found key opens: it is not the one that was last opened here, or an older state of it.
 * Kept keys would undo a rotation otherwise: whoever has an old key could put back the header that it opens.
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
    { hint: "To open it all the same, name its key on purpose." },
  );
}
