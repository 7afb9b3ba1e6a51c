import { join, resolve } from "node:path";
import { createPrivateFile, makePrivateFolder } from "@autokestra/private-files";
import { AutokestraError, type EncryptedSecret, hasCode, type SecretStore } from "@autokestra/secrets-core";
import { requireAbilities, toCurrentPayload } from "@autokestra/secrets-core/internal";
import { createKeyManager, createSecretEncryption, type KeyManager, type Keyring } from "@autokestra/secrets-crypto";
import { keyFilePath, keyFolderOf, openKnownStores } from "@autokestra/secrets-crypto/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { BACKUP_HINT, backupUnusable, driverOfBackup, openBackup, readBackup, refusal } from "./back-up.ts";
import { storedDriver } from "./driver-record.ts";
import type { FolderDriver } from "./drivers.ts";
import { storeFolder } from "./folders.ts";
import { createProvider, keepApart, keyOptions, openSecretsManager, type SecretsOptions } from "./manager.ts";
import { type FolderStore, findInFolder, makeStore, requestedDriver } from "./open-store.ts";
import {
  buildStore,
  copyHeader,
  copyStore,
  idPages,
  isEmptyStore,
  type KeyedStore,
  type OnVerified,
  type StoreCount,
  verifyRecords,
} from "./records.ts";
import { replaceStore, withTemporaryFolder } from "./replace-store.ts";

export interface RestoreReport extends StoreCount {
  /** The name of the driver of the store. */
  readonly backend: string;
  /** Where the store that was there is kept; null where there was none. */
  readonly kept: string | null;
  /** Also the keys are those of the backup now, as there was no store that opens. */
  readonly tookKeys: boolean;
}

/** A backup, and the keys that open it. */
interface OpenedBackup extends KeyedStore {
  readonly keys: KeyManager;
}

/** What a restoration builds in place of the store that is there. */
interface Rebuilt extends StoreCount {
  /** Null where nothing was ever encrypted. */
  readonly keyring: Keyring | null;
}

/**
 * Replaces the secrets that are there by those of a backup, once every version in it has opened. Only records are taken over,
 * encrypted again under the keys of the store that is there, so that its rotations stand. The keys of the backup count only where there
 * is no store, or none that opens. The store keeps its driver; what was there, even if damaged, is kept under another name. No other
 * process may have it open, which is made sure of where it is not damaged.
 *
 * @param file what `backUpStore` has written, with any driver
 * @param onVerified told how many secrets of the backup were tried
 * @throws AutokestraError `STORE_CORRUPT`, `INTEGRITY_FAILED`, `KEY_*` where the backup does not open; `STORE_UNAVAILABLE`; nothing
 * is changed then
 */
export async function restoreBackup(
  options: SecretsOptions,
  file: string,
  onVerified?: OnVerified,
): Promise<RestoreReport> {
  return await recordOperation(options, "restore-backup", async () => await restore(options, file, onVerified));
}

async function restore(options: SecretsOptions, file: string, onVerified?: OnVerified): Promise<RestoreReport> {
  const folder = storeFolder(options);
  const source = resolve(file);
  const content = readBackup(source);
  const keyFile = keyFilePath(keyOptions(options));
  if (keyFile !== null) keepApart(keyFile, { kind: "folder", path: folder });
  const asked = requestedDriver(options);
  const recognized = driverOfBackup(source, content);
  const driver = storedDriver(folder) ?? (asked === "auto" ? recognized : asked);
  makePrivateFolder(folder);
  return await withTemporaryFolder(folder, async (temporary) => {
    const copy = join(temporary, "backup");
    createPrivateFile(copy, content);
    const backup = await openForRestore(options, await openBackup(recognized, copy, source));
    try {
      await verifyBackup(source, backup, onVerified);
      const rebuilt = await putInPlace(options, backup, { driver, path: join(temporary, driver.file) });
      return { backend: driver.name, ...rebuilt };
    } catch (error) {
      throw hasCode(error, "STORE_CORRUPT") ? backupUnusable(source, "is damaged") : error;
    } finally {
      backup.encryption.close();
      await backup.store.close();
    }
  });
}

/**
 * Opens the keys of a backup: with the key that was named, else with what its fingerprint finds in the key folder. No other key is
 * tried for the backup where the one that was named does not open the store that is there, or where there is none: its keys
 * would be those of the backup.
 */
async function openForRestore(options: SecretsOptions, store: SecretStore): Promise<OpenedBackup> {
  const open = async (from: SecretsOptions): Promise<OpenedBackup> => {
    const keys = createKeyManager(store, createProvider(from));
    if (!(await isEmptyStore(store))) await keys.current();
    return { store, keys, encryption: createSecretEncryption(keys) };
  };
  try {
    return await open(options);
  } catch (error) {
    const keyFolder = keyFolderOf(keyOptions(options));
    const isOther = hasCode(error, "KEY_WRONG", "KEY_MISSING");
    if (!isOther || keyFolder === null || (await openToday(options)) !== "opens") {
      await store.close();
      throw error;
    }
    return await open({ env: {}, keyFolder }).catch(async () => {
      await store.close();
      throw error;
    });
  }
}

/** Brings the store that is there to today's layout. */
async function openToday(options: SecretsOptions): Promise<"opens" | "new" | "broken"> {
  try {
    const { store, keys, secrets } = await openSecretsManager({ ...options, create: false });
    try {
      if (await isEmptyStore(store)) return "new";
      await keys.forEncrypt(0);
      return "opens";
    } finally {
      await secrets.close();
    }
  } catch (error) {
    if (hasCode(error, "KEY_MISSING", "KEY_WRONG", "INTEGRITY_FAILED", "STORE_CORRUPT")) return "broken";
    throw error;
  }
}

async function verifyBackup(source: string, backup: OpenedBackup, onVerified: OnVerified | undefined): Promise<void> {
  if (await isEmptyStore(backup.store)) return;
  const { problems } = await verifyRecords(backup, await backup.keys.current(), onVerified);
  const [first] = problems;
  if (first === undefined) return;
  throw new AutokestraError("INTEGRITY_FAILED", `${refusal(source)}: ${first}`, { hint: BACKUP_HINT });
}

interface Target {
  readonly driver: FolderDriver;
  /** Where the new store is built. */
  readonly path: string;
}

async function putInPlace(
  options: SecretsOptions,
  backup: OpenedBackup,
  target: Target,
): Promise<Omit<RestoreReport, "backend">> {
  const folder = storeFolder(options);
  const state = await openToday(options);
  const found = await takeStore(folder, options, target.driver);
  const replacement = { folder, current: found?.driver ?? target.driver, next: target.driver, path: target.path };
  const memory = openKnownStores(keyFolderOf(keyOptions(options))).memoryOf(folder);

  async function finish({ keyring, secrets, versions }: Rebuilt, kept: string | null, tookKeys: boolean) {
    if (keyring !== null) {
      const { header, epoch, fingerprint } = keyring;
      await memory.remember({ storeId: header.storeId, epoch, fingerprint });
    }
    return { secrets, versions, kept, tookKeys };
  }

  if (found === null) {
    // Nobody can use a store that is damaged or not found, so nobody writes to it.
    const rebuilt = await copyBackup(backup, target);
    await memory.forget();
    return await finish(rebuilt, replaceStore({ ...replacement, isUnchanged: () => true, keep: true }), true);
  }
  const { store } = found;
  try {
    return await requireAbilities(store, "exclusively").exclusively(async (isUnchanged) => {
      const isNew = (await store.readHeader()) === null;
      const tookKeys = isNew || state === "broken";
      const rebuilt = tookKeys ? await copyBackup(backup, target) : await reencrypt(options, backup, store, target);
      if (tookKeys) await memory.forget();
      const kept = replaceStore({ ...replacement, isUnchanged, keep: !(await isEmptyStore(store)) });
      return await finish(rebuilt, kept, tookKeys);
    });
  } finally {
    await store.close();
  }
}

/** The store that is there; an empty one where there is none, so that it can be locked; null where it is damaged or not found. */
async function takeStore(folder: string, options: SecretsOptions, driver: FolderDriver): Promise<FolderStore | null> {
  try {
    return (
      (await findInFolder(folder, options, "any")) ?? (await makeStore(folder, { ...options, backend: driver.name }))
    );
  } catch (error) {
    if (hasCode(error, "STORE_CORRUPT")) return null;
    throw error;
  }
}

/** Takes the backup over as it is, with its keys, in today's layout. */
async function copyBackup({ store, keys }: OpenedBackup, { driver, path }: Target): Promise<Rebuilt> {
  const isEmpty = await isEmptyStore(store);
  // The copy of the backup that is upgraded here is nobody else's.
  const keyring = isEmpty ? null : await keys.forEncrypt(0);
  const count = await buildStore(driver, path, async (built) => await copyStore(store, built));
  return { ...count, keyring };
}

/** Encrypts all records of the backup again under the keys of the store that is there, and begins the next epoch. */
async function reencrypt(
  options: SecretsOptions,
  backup: OpenedBackup,
  current: SecretStore,
  { driver, path }: Target,
): Promise<Rebuilt> {
  return await buildStore(driver, path, async (store) => {
    const keys = createKeyManager(store, createProvider(options));
    const encryption = createSecretEncryption(keys);
    const count = { secrets: 0, versions: 0 };
    try {
      await copyHeader(current, store);
      for await (const ids of idPages(backup.store)) {
        const inserted: (readonly EncryptedSecret[])[] = [];
        for (const id of ids) {
          const versions = await decryptAll(id, backup, { store: current, encryption });
          const { secrets } = await encryption.encrypt(versions);
          inserted.push(secrets);
          count.versions += secrets.length;
        }
        await store.bulkInsert(inserted);
        count.secrets += ids.length;
      }
      return { ...count, keyring: await keys.nextEpoch() };
    } finally {
      encryption.close();
    }
  });
}

/** All versions of a secret of the backup, the oldest first, as a change of what is there. */
async function decryptAll(id: string, { store, encryption }: OpenedBackup, current: KeyedStore) {
  const versions = (await store.versions(id)).toReversed();
  const revision = await revisionOf(id, current);
  return await Promise.all(
    versions.map(async ({ metadata, envelope }) => ({
      metadata: { ...metadata, revision: Math.max(revision, metadata.revision) + 1 },
      plaintext: toCurrentPayload(metadata.name, envelope.format, await encryption.decrypt(metadata, envelope)),
    })),
  );
}

/** The revision of a secret; 0 where there is none, and where it is damaged or forged: then the backup is what heals it. */
async function revisionOf(id: string, { store, encryption }: KeyedStore): Promise<number> {
  try {
    const current = await store.find(id);
    if (current === null) return 0;
    await encryption.verify(current);
    return current.metadata.revision;
  } catch (error) {
    if (hasCode(error, "STORE_CORRUPT", "INTEGRITY_FAILED")) return 0;
    throw error;
  }
}
