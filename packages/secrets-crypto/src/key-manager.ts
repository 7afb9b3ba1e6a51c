import { AutokestraError, type MasterKey, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import {
  addDataKey,
  destroyDataKeys,
  type HeaderEdit,
  nextEpoch,
  reserveSeals,
  upgradeHeader,
} from "./header-edits.ts";
import { HeaderReader, type KeyManagerOptions } from "./header-reader.ts";
import type { StoreMemory } from "./key-source/known-stores.ts";
import { createKeyring, deriveNewKeys, type Keyring, keysClosed, wipeDerived } from "./keyring.ts";

/** The fewest seals that a process reserves at a time: what it does not use is lost with it. */
const RESERVATION = 4096;

/**
 * The most seals under one data key. NIST SP 800-38D, 8.3, allows 2^32 with random nonces; half of that leaves room for copies
 * of a store that both write on.
 */
export const MAX_SEALS: number = 2 ** 31;

/** The part of a store that its keys need. */
export type HeaderStore = Pick<SecretStore, "layout" | "upgrade" | "readHeader" | "writeHeader" | "ids">;

/**
 * The keys of one store, kept in step with its header while other processes change it.
 *
 * Every method but `close` may throw AutokestraError with `KEY_*`, `INTEGRITY_FAILED` (header), `STORE_ROLLED_BACK`, and the codes
 * of the store.
 */
export interface KeyManager {
  /**
   * The keyring of the header that is stored now. Writes nothing.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` where the store has no header yet
   */
  current(): Promise<Keyring>;
  /**
   * One keyring under which this many records may be sealed. Makes header and master key where the store is new, and brings a
   * header of format 1 up to date, also for 0.
   */
  forEncrypt(count: number): Promise<Keyring>;
  /** A keyring that has this data key, if any has. */
  forDecrypt(keyId: string): Promise<Keyring>;
  /** A keyring that has this service key, if any has; null: for a record that has no MAC. */
  forVerify(serviceKeyId: string | null): Promise<Keyring>;
  /** Wraps all keys under another master key: the one before no longer opens the store. */
  rotateMasterKey(next: MasterKey): Promise<Keyring>;
  /** Makes a new active data key; the one before opens what it has sealed. */
  addDataKey(): Promise<Keyring>;
  /**
   * Forgets data keys that are not active.
   *
   * @throws AutokestraError `DATA_KEY_IN_USE` where a record is sealed under one of them
   */
  destroyDataKeys(keyIds: readonly string[]): Promise<Keyring>;
  /** Begins another epoch: after what is in the store was replaced by something older. */
  nextEpoch(): Promise<Keyring>;
  /** Overwrites all keys with zeros. */
  close(): void;
}

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
  /** Every keyring ever made: they are all wiped at the end. */
  readonly #opened: Keyring[] = [];
  #latest: Keyring | null = null;
  /** How many more seals of the active key of `latest` are ours. */
  #reserved = 0;
  #closed = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(store: HeaderStore, provider: MasterKeyProvider, options: KeyManagerOptions) {
    this.#store = store;
    this.#provider = provider;
    this.#memory = options.memory;
    this.#reader = new HeaderReader(store, provider, options);
  }

  async current(): Promise<Keyring> {
    return await this.#exclusive(async () => await this.#readExisting());
  }

  async forEncrypt(count: number): Promise<Keyring> {
    return this.#takeReserved(count) ?? (await this.#exclusive(async () => await this.#reserve(count)));
  }

  async forDecrypt(keyId: string): Promise<Keyring> {
    if (!this.#closed && this.#latest?.find(keyId)) return this.#latest;
    return await this.current();
  }

  async forVerify(serviceKeyId: string | null): Promise<Keyring> {
    if (!this.#closed && serviceKeyId !== null && this.#latest?.hasServiceKey(serviceKeyId)) return this.#latest;
    return await this.current();
  }

  async rotateMasterKey(next: MasterKey): Promise<Keyring> {
    // First: no parameters are drawn for a store that there is not.
    await this.current();
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

  /** One at a time: a passphrase is stretched once, however many ask. */
  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  /** @returns null where fewer are reserved, or nothing may be sealed under what was read last */
  #takeReserved(count: number): Keyring | null {
    const latest = this.#latest;
    if (this.#closed || latest === null || latest.header.format === 1 || this.#reserved < count) return null;
    this.#reserved -= count;
    return latest;
  }

  async #reserve(count: number): Promise<Keyring> {
    const seals = Math.max(count, RESERVATION);
    for (;;) {
      const ready = this.#takeReserved(count);
      if (ready !== null) return ready;
      if (this.#latest === null || this.#latest.header.format === 1) await this.#makeUsable(seals);
      else await this.#edit(reserveSeals(seals, MAX_SEALS), seals);
    }
  }

  /** Makes the header, or brings it up to date, where that is needed. */
  async #makeUsable(seals: number): Promise<void> {
    for (;;) {
      const keyring = await this.#readIfAny();
      if (keyring !== null && keyring.header.format !== 1) return;
      if (keyring === null ? await this.#makeHeader(seals) : await this.#upgrade(keyring, seals)) return;
    }
  }

  /** @returns false where another process was faster: its header counts */
  async #makeHeader(seals: number): Promise<boolean> {
    const { first, isGiven } = await this.#provider.search();
    const keyring = this.#keep(await createKeyring(first ?? (await this.#provider.generate()), seals));
    await this.#memory?.forget();
    const isWritten =
      (await this.#store.layout()) === 1
        ? await this.#store.upgrade(keyring.text, null, (secret) => keyring.authenticate(secret))
        : await this.#store.writeHeader(keyring.text, null);
    if (!isWritten) return false;
    this.#reader.isGiven = isGiven;
    await this.#adoptWritten(keyring, seals);
    return true;
  }

  /** @returns false where another process has changed the header meanwhile */
  async #upgrade(keyring: Keyring, seals: number): Promise<boolean> {
    const next = this.#keep(keyring.change(upgradeHeader(keyring.fingerprint, seals)));
    const isWritten = await this.#store.upgrade(next.text, keyring.text, (secret) => next.authenticate(secret));
    if (isWritten) await this.#adoptWritten(next, seals);
    return isWritten;
  }

  async #edit(edit: HeaderEdit, reservation = 0): Promise<Keyring> {
    return await this.#replace((keyring) => keyring.change(edit), reservation);
  }

  /** Changes the header of a store that has one, again and again until nobody else has changed it in between. */
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

  /** @returns null where the store has neither a header nor records */
  async #readIfAny(): Promise<Keyring | null> {
    if (this.#closed) throw keysClosed();
    const keyring = await this.#reader.read(this.#latest);
    if (keyring !== null && keyring !== this.#latest) this.#adopt(this.#keep(keyring), 0);
    return keyring;
  }

  /** What this process has written is remembered; what it has read is not. */
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
