import { AutokestraError, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import { findKeyring, findRollback } from "./find-keyring.ts";
import { headerBroken } from "./key-derivation.ts";
import { headerTampered, type Keyring } from "./keyring.ts";
import { parseHeader } from "./store-header.ts";
import type { StoreMemory } from "./store-memory.ts";

/** How often a key is looked for while a rotation may be putting another one in its place. */
const ATTEMPTS = 3;

export interface StoreKeysOptions {
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
  readonly #options: StoreKeysOptions;
  #isNoticed = false;

  constructor(
    store: Pick<SecretStore, "layout" | "readHeader" | "ids">,
    provider: MasterKeyProvider,
    options: StoreKeysOptions,
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
