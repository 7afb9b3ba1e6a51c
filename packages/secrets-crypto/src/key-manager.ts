import { AutokestraError, type MasterKey, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import {
  addDataKey,
  destroyDataKeys,
  type HeaderEdit,
  nextEpoch,
  reserveEncryptions,
  upgradeHeader,
} from "./header-edits.ts";
import { HeaderReader, type KeyManagerOptions } from "./header-reader.ts";
import type { StoreMemory } from "./key-source/known-stores.ts";
import { createKeyring, deriveNewKeys, type Keyring, keysClosed, wipeDerived } from "./keyring.ts";

/** The minimum number of encryptions that a process reserves at a time. What it does not use is lost when it ends. */
const RESERVATION = 4096;

/**
 * The maximum number of encryptions under one data key. NIST SP 800-38D, section 8.3, allows 2^32 with random nonces.
 * Half of that leaves room for a copy of the store that is written to as well.
 */
export const MAX_ENCRYPTIONS: number = 2 ** 31;

/** The part of a store that its key manager uses. */
export type HeaderStore = Pick<SecretStore, "layout" | "upgrade" | "readHeader" | "writeHeader" | "ids">;

/**
 * The keys of one store, kept in step with its header while other processes change it. {@link createKeyManager} creates
 * it.
 *
 * Every method except `close` may throw an AutokestraError with `KEY_*`, `INTEGRITY_FAILED` (header),
 * `STORE_ROLLED_BACK` or a code of the store.
 */
export interface KeyManager {
  /**
   * Returns the keyring of the header that is stored now. Writes nothing.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` if the store has no header yet
   */
  keyring(): Promise<Keyring>;
  /** As {@link KeyManager.keyring}. Null if the store has neither a header nor records: it has no keys yet. */
  keyringIfAny(): Promise<Keyring | null>;
  /**
   * Returns one keyring under which this many records may be encrypted. Creates the header and the master key of a new
   * store, and upgrades a header of format 1, also for a count of 0.
   */
  forEncrypt(count: number): Promise<Keyring>;
  /** Returns a keyring with this data key, if there is one; otherwise the current keyring. */
  forDecrypt(keyId: string): Promise<Keyring>;
  /** Returns a keyring with this service key if there is one, or the current one. Null: the record has no MAC. */
  forVerify(serviceKeyId: string | null): Promise<Keyring>;
  /**
   * Returns the keyring that was opened last; null if none was yet, or if the store has format 1. Looks for no key and reads
   * nothing.
   */
  opened(): Keyring | null;
  /** Wraps all keys under another master key. The previous one no longer opens the store. */
  rotateMasterKey(next: MasterKey): Promise<Keyring>;
  /** Creates a new active data key. The previous one still decrypts its records. */
  addDataKey(): Promise<Keyring>;
  /**
   * Destroys data keys that are not active.
   *
   * @throws AutokestraError `DATA_KEY_IN_USE` if a record is encrypted under one of them
   */
  destroyDataKeys(keyIds: readonly string[]): Promise<Keyring>;
  /** Begins the next epoch. Call it after the content of the store was replaced by an older one. */
  nextEpoch(): Promise<Keyring>;
  /** Overwrites all keys with zeros. */
  close(): void;
}

/**
 * Creates the key manager of a store. It reads and opens the header when a key is first needed, and again whenever
 * another process has changed it, so that one key manager can be used for the whole life of a process. Use one for each
 * store, and close it at the end.
 *
 * @param store keeps the header: any `SecretStore`
 * @param provider looks for the master key, and makes one for a new store
 * @param options `memory`: what is remembered of the store; `onNotice`: called if an unusual key opens it. Default:
 * neither
 *
 * @example
 * ```ts
 * import { createKeyManager, createMasterKeyProvider, createMemoryStore } from "@autokestra/secrets-crypto";
 *
 * const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
 * const keys = createKeyManager(createMemoryStore(), createMasterKeyProvider({ env, keyFolder: null }));
 *
 * const { active } = await keys.forEncrypt(1); // creates the header of the new store
 * await keys.addDataKey();
 * const keyring = await keys.forDecrypt(active.id);
 * console.log(keyring.header.dataKeys.map(({ state }) => state)); // prints [ 'decrypt-only', 'active' ]
 * keys.close();
 * ```
 */
export function createKeyManager(
  store: HeaderStore,
  provider: MasterKeyProvider,
  options: KeyManagerOptions = {},
): KeyManager {
  return new StoreKeyManager(store, provider, options);
}

class StoreKeyManager implements KeyManager {
  readonly #store: HeaderStore;
  readonly #provider: MasterKeyProvider;
  readonly #memory: StoreMemory | undefined;
  readonly #reader: HeaderReader;
  /** All keyrings, which are wiped at the end. */
  readonly #opened: Keyring[] = [];
  #latest: Keyring | null = null;
  /** How many encryptions under the active key of `latest` are still reserved for this process. */
  #reserved = 0;
  #closed = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(store: HeaderStore, provider: MasterKeyProvider, options: KeyManagerOptions) {
    this.#store = store;
    this.#provider = provider;
    this.#memory = options.memory;
    this.#reader = new HeaderReader(store, provider, options);
  }

  async keyring(): Promise<Keyring> {
    return await this.#exclusive(async () => await this.#readExisting());
  }

  async keyringIfAny(): Promise<Keyring | null> {
    return await this.#exclusive(async () => await this.#readIfAny());
  }

  async forEncrypt(count: number): Promise<Keyring> {
    return this.#takeReserved(count) ?? (await this.#exclusive(async () => await this.#reserve(count)));
  }

  async forDecrypt(keyId: string): Promise<Keyring> {
    if (!this.#closed && this.#latest?.find(keyId)) return this.#latest;
    return await this.keyring();
  }

  async forVerify(serviceKeyId: string | null): Promise<Keyring> {
    if (!this.#closed && serviceKeyId !== null && this.#latest?.hasServiceKey(serviceKeyId)) return this.#latest;
    return await this.keyring();
  }

  opened(): Keyring | null {
    return this.#closed || this.#latest === null || this.#latest.header.format === 1 ? null : this.#latest;
  }

  async rotateMasterKey(next: MasterKey): Promise<Keyring> {
    // First, so that nothing is derived for a store that does not exist.
    await this.keyring();
    const { kdf, keys } = await deriveNewKeys(next);
    try {
      return await this.#exclusive(
        async () => await this.#replace((keyring) => keyring.rewrap(kdf, keys, next.source)),
      );
    } finally {
      wipeDerived(keys);
    }
  }

  async addDataKey(): Promise<Keyring> {
    return await this.#exclusive(async () => await this.#edit(addDataKey(0)));
  }

  async destroyDataKeys(keyIds: readonly string[]): Promise<Keyring> {
    return await this.#exclusive(async () => await this.#edit(destroyDataKeys(keyIds)));
  }

  async nextEpoch(): Promise<Keyring> {
    return await this.#exclusive(async () => await this.#edit(nextEpoch));
  }

  close(): void {
    this.#closed = true;
    for (const keyring of this.#opened) keyring.close();
  }

  /** Runs one piece of work at a time, so that concurrent callers stretch a passphrase only once. */
  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  /** @returns null if fewer encryptions are reserved, or if nothing may be encrypted under the latest keyring */
  #takeReserved(count: number): Keyring | null {
    const latest = this.#latest;
    if (this.#closed || latest === null || latest.header.format === 1 || this.#reserved < count) return null;
    this.#reserved -= count;
    return latest;
  }

  async #reserve(count: number): Promise<Keyring> {
    const reservation = Math.max(count, RESERVATION);
    for (;;) {
      const ready = this.#takeReserved(count);
      if (ready !== null) return ready;
      if (this.#latest === null || this.#latest.header.format === 1) await this.#makeUsable(reservation);
      else await this.#edit(reserveEncryptions(reservation, MAX_ENCRYPTIONS), reservation);
    }
  }

  /** Creates or upgrades the header if needed. */
  async #makeUsable(reservation: number): Promise<void> {
    for (;;) {
      const keyring = await this.#readIfAny();
      if (keyring !== null && keyring.header.format !== 1) return;
      if (keyring === null ? await this.#makeHeader(reservation) : await this.#upgrade(keyring, reservation)) return;
    }
  }

  /** @returns false if another process was faster: its header counts */
  async #makeHeader(reservation: number): Promise<boolean> {
    const { first, isGiven } = await this.#provider.search();
    const keyring = this.#keep(await createKeyring(first ?? (await this.#provider.generate()), reservation));
    await this.#memory?.forget();
    const isWritten =
      (await this.#store.layout()) === 1
        ? await this.#store.upgrade(keyring.text, null, (secret) => keyring.authenticate(secret))
        : await this.#store.writeHeader(keyring.text, null);
    if (!isWritten) return false;
    this.#reader.isGiven = isGiven;
    await this.#adoptWritten(keyring, reservation);
    return true;
  }

  /** @returns false if another process has changed the header in the meantime */
  async #upgrade(keyring: Keyring, reservation: number): Promise<boolean> {
    const next = this.#keep(keyring.change(upgradeHeader(keyring.fingerprint, reservation)));
    const isWritten = await this.#store.upgrade(next.text, keyring.text, (secret) => next.authenticate(secret));
    if (isWritten) await this.#adoptWritten(next, reservation);
    return isWritten;
  }

  async #edit(edit: HeaderEdit, reservation = 0): Promise<Keyring> {
    return await this.#replace((keyring) => keyring.change(edit), reservation);
  }

  /** Changes the header of a store that has one. Starts over if another process has changed it in between. */
  async #replace(change: (keyring: Keyring) => Keyring, reservation = 0): Promise<Keyring> {
    for (;;) {
      const before = await this.#readExisting();
      if (before.header.format === 1) {
        await this.#upgrade(before, RESERVATION);
        continue;
      }
      const after = this.#keep(change(before));
      if (await this.#store.writeHeader(after.text, before.text, destroyedBy(before, after))) {
        await this.#adoptWritten(after, reservation);
        return after;
      }
    }
  }

  async #readExisting(): Promise<Keyring> {
    const keyring = await this.#readIfAny();
    if (keyring === null) throw noKeysYet();
    return keyring;
  }

  /** @returns null if the store has neither a header nor records */
  async #readIfAny(): Promise<Keyring | null> {
    if (this.#closed) throw keysClosed();
    const keyring = await this.#reader.read(this.#latest);
    if (keyring !== null && keyring !== this.#latest) this.#adopt(this.#keep(keyring), 0);
    return keyring;
  }

  /** Remembers what this process has written. What it has only read is not remembered. */
  async #adoptWritten(keyring: Keyring, reservation: number): Promise<void> {
    this.#adopt(keyring, reservation);
    const { header, epoch, fingerprint } = keyring;
    await this.#memory?.remember({ storeId: header.storeId, epoch, fingerprint });
  }

  #adopt(keyring: Keyring, reservation: number): void {
    if (this.#latest === null || activeIdOf(this.#latest) !== activeIdOf(keyring)) this.#reserved = 0;
    this.#reserved += reservation;
    this.#latest = keyring;
  }

  #keep(keyring: Keyring): Keyring {
    this.#opened.push(keyring);
    if (this.#closed) keyring.close();
    return keyring;
  }
}

function activeIdOf({ header }: Keyring): string | undefined {
  return header.dataKeys.find(({ state }) => state === "active")?.id;
}

/** The data keys that the later header no longer has. */
function destroyedBy(before: Keyring, after: Keyring): readonly string[] {
  const had = new Set(before.header.dataKeys.filter(({ wrapped }) => wrapped !== null).map(({ id }) => id));
  return after.header.dataKeys.filter(({ id, wrapped }) => wrapped === null && had.has(id)).map(({ id }) => id);
}

function noKeysYet(): AutokestraError {
  return new AutokestraError("STORE_UNAVAILABLE", "The secret store has no keys yet: nothing was stored in it", {
    hint: "Check the path of the store, or store a secret first.",
  });
}
