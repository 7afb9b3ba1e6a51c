import { AutokestraError, type MasterKey, type MasterKeyProvider, type SecretStore } from "@autokestra/secrets-core";
import { createDataKey, type DataKey } from "./data-key.ts";
import { createKdf, deriveKeys, headerBroken } from "./key-derivation.ts";
import { createKeyring, type Keyring, openKeyring } from "./keyring.ts";
import { KEY_VARIABLE } from "./master-key-provider.ts";
import type { HeaderKey } from "./store-header.ts";

/** How many seals a process reserves at a time: what it does not use is lost with it. */
const RESERVATION = 4096;

/**
 * The most seals under one data key. NIST SP 800-38D, 8.3, allows 2^32 with random nonces; half of that leaves room for copies
 * of a store that both write on.
 */
export const MAX_SEALS: number = 2 ** 31;

/** How often a key is looked for while a rotation may be putting another one in its place. */
const ATTEMPTS = 3;

/** The keys of one store, kept in step with its header while other processes change it. */
export interface StoreKeys {
  /** The keyring of the header that is stored now. Makes header and master key where the store has no secrets yet. */
  current(): Promise<Keyring>;
  /** A keyring whose active key may be used for one more seal. */
  forSeal(): Promise<Keyring>;
  /** A keyring that has this data key, if any has: at once where it is known already. */
  forOpen(keyId: string): Keyring | Promise<Keyring>;
  /** Wraps all data keys under another master key: the one before no longer opens the store. */
  rotateMasterKey(next: MasterKey): Promise<Keyring>;
  /** Makes a new active data key; the one before opens what it has sealed. */
  addDataKey(): Promise<Keyring>;
  /** Forgets data keys that are not active. What is sealed under them is lost. */
  destroyDataKeys(keyIds: readonly string[]): Promise<Keyring>;
  /** Overwrites all keys with zeros. */
  close(): void;
}

/**
 * @throws each method: AutokestraError `KEY_MISSING`, `KEY_WRONG`, `INTEGRITY_FAILED` (header), and the codes of the provider
 * and the store
 */
export function createStoreKeys(store: SecretStore, provider: MasterKeyProvider): StoreKeys {
  const opened: Keyring[] = [];
  let latest: Keyring | null = null;
  let reserved = 0;
  let closed = false;
  let queue: Promise<unknown> = Promise.resolve();

  /** One at a time: a passphrase is stretched once, however many ask. */
  async function exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return await turn;
  }

  function adopt(keyring: Keyring, reservation: number): Keyring {
    if (latest?.active.id !== keyring.active.id) reserved = 0;
    reserved += reservation;
    latest = keyring;
    opened.push(keyring);
    return keyring;
  }

  async function refresh(): Promise<Keyring> {
    if (closed) throw new AutokestraError("KEY_MISSING", "The keys are closed");
    const text = await store.readHeader();
    if (text === null) return await createHeader();
    if (text === latest?.text) return latest;
    return adopt(latest?.follow(text) ?? (await unlock(text)), 0);
  }

  async function createHeader(): Promise<Keyring> {
    const hasRecords = (await store.names({ limit: 1 })).length > 0;
    // Again, now that the records were looked at: another process may have made the header and the first of them meanwhile.
    if ((await store.readHeader()) !== null) return await refresh();
    if (hasRecords) throw headerBroken("is missing although there are records");
    const master = (await provider.load()) ?? (await provider.generate());
    const keyring = await createKeyring(master, RESERVATION);
    if (await store.writeHeader(keyring.text, null)) {
      master.material.fill(0);
      return adopt(keyring, RESERVATION);
    }
    // Another process was faster: its header counts.
    keyring.close();
    return adopt(await openWith((await store.readHeader()) ?? "", master), 0);
  }

  /** Again where the key does not fit: a rotation in another process changes the header first and the key file after it. */
  async function unlock(text: string): Promise<Keyring> {
    for (let attempt = 1; ; attempt++) {
      const master = await provider.load();
      if (master === null) throw keyMissing();
      try {
        return await openWith(text, master);
      } catch (error) {
        const pending = await openPending(text);
        if (pending !== null) return pending;
        const isLast = attempt === ATTEMPTS || master.kind === "passphrase" || !isKeyWrong(error);
        if (isLast && (await store.readHeader()) === text) throw error;
        if (isLast) return await refresh();
      }
    }
  }

  /** A rotation that was killed after it changed the header has left the new key beside the old one. */
  async function openPending(text: string): Promise<Keyring | null> {
    for (const pending of await provider.pending()) {
      const keyring = await openWith(text, pending.key).catch(() => null);
      if (keyring === null) continue;
      await pending.promote();
      return keyring;
    }
    return null;
  }

  /** Changes the header, again and again until nobody else has changed it in between. */
  async function change(edit: (keyring: Keyring) => Keyring, reservation = 0): Promise<Keyring> {
    for (;;) {
      const before = await refresh();
      const after = edit(before);
      if (await store.writeHeader(after.text, before.text)) return adopt(after, reservation);
    }
  }

  function withKeys(keyring: Keyring, keys: readonly HeaderKey[]): Keyring {
    const next = keyring.follow(keyring.write(keys));
    if (next === null) throw headerBroken("cannot be followed");
    return next;
  }

  function withNewKey(keyring: Keyring, seals: number): Keyring {
    const key: DataKey = createDataKey();
    const retired = keyring.header.dataKeys.map((entry) =>
      entry.state === "active" ? { ...entry, state: "decrypt-only" as const } : entry,
    );
    const createdAt = new Date().toISOString();
    const added: HeaderKey = { id: key.id, state: "active", createdAt, seals, wrapped: keyring.wrap(key) };
    return withKeys(keyring, [...retired, added]);
  }

  function withReservation(keyring: Keyring): Keyring {
    const { dataKeys } = keyring.header;
    const used = dataKeys.find(({ state }) => state === "active")?.seals ?? 0;
    if (used + RESERVATION > MAX_SEALS) return withNewKey(keyring, RESERVATION);
    return withKeys(
      keyring,
      dataKeys.map((entry) => (entry.state === "active" ? { ...entry, seals: entry.seals + RESERVATION } : entry)),
    );
  }

  return {
    current: async () => await exclusive(refresh),

    async forSeal() {
      // Nothing to wait for: what is reserved is ours.
      if (!closed && latest !== null && reserved > 0) {
        reserved -= 1;
        return latest;
      }
      return await exclusive(async () => {
        const keyring = closed || latest === null ? await refresh() : latest;
        const ready = reserved > 0 ? keyring : await change(withReservation, RESERVATION);
        reserved -= 1;
        return ready;
      });
    },

    forOpen(keyId) {
      if (latest !== null && !closed && latest.find(keyId) !== null) return latest;
      return exclusive(refresh);
    },

    async rotateMasterKey(next) {
      const kdf = createKdf(next.kind);
      const keys = await deriveKeys(kdf, next);
      return await exclusive(async () => await change((keyring) => keyring.rewrap(kdf, keys, next.source)));
    },

    addDataKey: async () => await exclusive(async () => await change((keyring) => withNewKey(keyring, 0))),

    async destroyDataKeys(keyIds) {
      return await exclusive(
        async () =>
          await change((keyring) =>
            withKeys(
              keyring,
              keyring.header.dataKeys.map((entry) =>
                keyIds.includes(entry.id) && entry.state !== "active"
                  ? { ...entry, state: "destroyed" as const, wrapped: null }
                  : entry,
              ),
            ),
          ),
      );
    },

    close() {
      closed = true;
      for (const keyring of opened) keyring.close();
    },
  };
}

/** The master key is needed for one derivation, and wiped after it. */
async function openWith(text: string, master: MasterKey): Promise<Keyring> {
  try {
    return await openKeyring(text, master);
  } finally {
    master.material.fill(0);
  }
}

function isKeyWrong(error: unknown): boolean {
  return error instanceof AutokestraError && error.code === "KEY_WRONG";
}

function keyMissing(): AutokestraError {
  return new AutokestraError("KEY_MISSING", "There are secrets here, but no master key to open them", {
    hint: `Set ${KEY_VARIABLE}, or give the key file they were made with by --key-file. No new key is made for a store that has secrets.`,
  });
}
