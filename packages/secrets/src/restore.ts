import { join, resolve } from "node:path";
import { createPrivateFile, makePrivateFolder } from "@autokestra/private-files";
import {
  AutokestraError,
  type EncryptedSecret,
  type ErrorDetails,
  hasCode,
  type MasterKeyProvider,
  type SecretStore,
} from "@autokestra/secrets-core";
import { requireAbilities, toCurrentPayload } from "@autokestra/secrets-core/internal";
import { createKeyManager, createSecretEncryption, type KeyManager, type Keyring } from "@autokestra/secrets-crypto";
import {
  createKeyFile,
  createMasterKey,
  keyFilePath,
  keyFolderOf,
  openKnownStores,
  providerOf,
} from "@autokestra/secrets-crypto/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { BACKUP_HINT, backupUnusable, driverOfBackup, openBackup, readBackup, refusal } from "./back-up.ts";
import { storedDriver } from "./driver-record.ts";
import type { FolderDriver } from "./drivers.ts";
import { type BackupIdentities, decryptBackup, isEncryptedBackup } from "./encrypted-backup.ts";
import { storeFolder } from "./folders.ts";
import { keepApart } from "./location.ts";
import { createProvider, keyOptions, openSecretsManager, type SecretsOptions } from "./manager.ts";
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

export interface RestoreOptions extends BackupIdentities {
  /** Called with the number of secrets of the backup that were verified, and their total. Default: nothing. */
  readonly onVerified?: OnVerified | undefined;
}

export interface RestoreReport extends StoreCount {
  /** The name of the driver of the store. */
  readonly backend: string;
  /** The path under which the previous store is kept; null if there was none. */
  readonly kept: string | null;
  /** True if the keys of the backup were taken over too, because there was no store that could be opened. */
  readonly tookKeys: boolean;
  /** The path of the key file that was created with the master key of the backup; null if none was needed. */
  readonly keyFile: string | null;
}

/** A backup with the keys that open it. */
interface OpenedBackup extends KeyedStore {
  readonly keys: KeyManager;
  /** The path of the backup, for messages. */
  readonly source: string;
  /** The master key that is in the backup; null if it is not. */
  readonly masterKey: Buffer | null;
}

/** The store that a restoration has built to replace the existing one. */
interface Rebuilt extends StoreCount {
  /** Null if nothing was ever encrypted. */
  readonly keyring: Keyring | null;
}

/**
 * Replaces the secrets by those of a backup, after every version in it was decrypted. The secrets are encrypted again
 * under the keys of the existing store, so that its rotations are not undone. The keys of the backup are used only if
 * there is no store, or none that can be opened. If the master key is in the backup and is not on this machine, its file
 * is created then; a key is never replaced. The driver stays the same. The previous store is kept under another name,
 * even a damaged one. No other process may have the store open.
 *
 * @param file a file that {@link backUpStore} has written, with any driver
 * @throws AutokestraError `STORE_CORRUPT`, `INTEGRITY_FAILED`, `IDENTITY_WRONG`, `KEY_*` if the backup cannot be opened;
 * `OPTION_INVALID` also if another master key is where that of the backup must go; `STORE_UNAVAILABLE`; nothing is
 * changed then
 */
export async function restoreBackup(
  options: SecretsOptions,
  file: string,
  restoration: RestoreOptions = {},
): Promise<RestoreReport> {
  return await recordOperation(options, "restore-backup", async () => await restore(options, file, restoration));
}

async function restore(
  options: SecretsOptions,
  file: string,
  { onVerified, ...identities }: RestoreOptions,
): Promise<RestoreReport> {
  const folder = storeFolder(options);
  const source = resolve(file);
  const read = readBackup(source);
  const { content, masterKey } = isEncryptedBackup(read)
    ? await decryptBackup(read, identities, (problem) => backupUnusable(source, problem))
    : { content: read, masterKey: null };
  const keyFile = keyFilePath(keyOptions(options));
  keepApart(keyFile, { kind: "folder", path: folder });
  const asked = requestedDriver(options);
  const recognized = driverOfBackup(source, content);
  const driver = storedDriver(folder) ?? (asked === "auto" ? recognized : asked);
  makePrivateFolder(folder);
  return await withTemporaryFolder(folder, async (temporary) => {
    const copy = join(temporary, "backup");
    createPrivateFile(copy, content);
    const opened = { store: await openBackup(recognized, copy, source), source, masterKey };
    const backup = await openForRestore(options, opened);
    try {
      await verifyBackup(backup, onVerified);
      const rebuilt = await putInPlace(options, backup, { driver, path: join(temporary, driver.file) });
      return { backend: driver.name, ...rebuilt };
    } catch (error) {
      throw hasCode(error, "STORE_CORRUPT") ? backupUnusable(source, "is damaged") : error;
    } finally {
      backup.encryption.close();
      await backup.store.close();
      masterKey?.fill(0);
    }
  });
}

/**
 * Opens the keys of a backup with the key that is in it, else with the named key, else with the key of its fingerprint in the key folder. The key folder
 * is searched only if the named key opens the existing store: otherwise the restored store would get keys that the
 * named key does not open.
 */
async function openForRestore(
  options: SecretsOptions,
  backup: Omit<OpenedBackup, keyof KeyedStore | "keys"> & { readonly store: SecretStore },
): Promise<OpenedBackup> {
  const { store, source, masterKey } = backup;
  const open = async (provider: MasterKeyProvider): Promise<OpenedBackup> => {
    const keys = createKeyManager(store, provider);
    if (!(await isEmptyStore(store))) await keys.keyring();
    return { ...backup, keys, encryption: createSecretEncryption(keys) };
  };
  try {
    if (masterKey === null) return await open(createProvider(options));
    return await open(providerOf(createMasterKey({ kind: "bytes", material: masterKey }, source, null)));
  } catch (error) {
    const keyFolder = keyFolderOf(keyOptions(options));
    const isOther = hasCode(error, "KEY_WRONG", "KEY_MISSING") && masterKey === null;
    if (!isOther || keyFolder === null || (await openToday(options)) !== "opens") {
      await store.close();
      throw error;
    }
    return await open(createProvider({ env: {}, keyFolder })).catch(async () => {
      await store.close();
      throw error;
    });
  }
}

/** Upgrades the existing store to the current layout, and tells whether it opens. */
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

async function verifyBackup(backup: OpenedBackup, onVerified: OnVerified | undefined): Promise<void> {
  if (await isEmptyStore(backup.store)) return;
  const { problems } = await verifyRecords(backup, onVerified);
  const [first] = problems;
  if (first === undefined) return;
  throw new AutokestraError("INTEGRITY_FAILED", `${refusal(backup.source)}: ${first}`, { hint: BACKUP_HINT });
}

interface Target {
  readonly driver: FolderDriver;
  /** The path at which the new store is built. */
  readonly path: string;
}

async function putInPlace(
  options: SecretsOptions,
  backup: OpenedBackup,
  target: Target,
): Promise<Omit<RestoreReport, "backend">> {
  const folder = storeFolder(options);
  const state = await openToday(options);
  const key = state === "opens" ? NO_NEW_KEY : await planKeyFile(options, backup);
  const found = await takeStore(folder, options, target.driver);
  const replacement = { folder, current: found?.driver ?? target.driver, next: target.driver, path: target.path };
  const memory = openKnownStores(keyFolderOf(keyOptions(options))).memoryOf(folder);

  async function finish({ keyring, secrets, versions }: Rebuilt, kept: string | null, tookKeys: boolean) {
    if (keyring !== null) {
      const { header, epoch, fingerprint } = keyring;
      await memory.remember({ storeId: header.storeId, epoch, fingerprint });
    }
    return { secrets, versions, kept, tookKeys, keyFile: tookKeys ? key.file : null };
  }

  if (found === null) {
    // No process can write to a store that is damaged or not found.
    const rebuilt = await copyBackup(backup, target);
    key.create();
    await memory.forget();
    return await finish(rebuilt, replaceStore({ ...replacement, isUnchanged: () => true, keep: true }), true);
  }
  const { store } = found;
  try {
    return await requireAbilities(store, "exclusively").exclusively(async (isUnchanged) => {
      const isNew = (await store.readHeader()) === null;
      const tookKeys = isNew || state === "broken";
      const rebuilt = tookKeys ? await copyBackup(backup, target) : await reencrypt(options, backup, store, target);
      if (tookKeys) {
        key.create();
        await memory.forget();
      }
      const kept = replaceStore({ ...replacement, isUnchanged, keep: !(await isEmptyStore(store)) });
      return await finish(rebuilt, kept, tookKeys);
    });
  } finally {
    await store.close();
  }
}

/** A key file that the restored store needs. */
interface PlannedKeyFile {
  /** Its path; null if none is needed. */
  readonly file: string | null;
  /** Creates it. Call it before the store that needs it is there: a key alone does no harm. */
  create(): void;
}

const NO_NEW_KEY: PlannedKeyFile = { file: null, create: () => undefined };

/**
 * Plans the file of the master key that is in a backup whose keys are taken over.
 *
 * @throws AutokestraError `OPTION_INVALID` if another key is there, which is never replaced
 */
async function planKeyFile(
  options: SecretsOptions,
  { store, source, masterKey }: OpenedBackup,
): Promise<PlannedKeyFile> {
  if (masterKey === null || (await isEmptyStore(store))) return NO_NEW_KEY;
  const provider = createProvider(options);
  const keys = createKeyManager(store, provider);
  try {
    await keys.keyring();
    return NO_NEW_KEY;
  } catch (error) {
    if (!hasCode(error, "KEY_WRONG", "KEY_MISSING")) throw error;
  } finally {
    keys.close();
  }
  const { first } = await provider.search();
  const file = keyFilePath(keyOptions(options));
  if (first !== null || file === null) throw keyInPlace(source, first?.source ?? null);
  const create = () => {
    if (!createKeyFile(file, masterKey)) throw keyInPlace(source, file);
  };
  return { file, create };
}

function keyInPlace(source: string, place: string | null): AutokestraError {
  const problem =
    place === null ? "there is no folder for its master key" : `another master key is in place, from ${place}`;
  return new AutokestraError("OPTION_INVALID", `${refusal(source)}: ${problem}`, {
    hint: "Nothing was changed, and a key is never replaced. Name a new file for the key of the backup.",
    details: { reason: "another key in place" } satisfies ErrorDetails["OPTION_INVALID"],
  });
}

/** Opens the existing store, or a new one, so that it can be locked; null if it is damaged or was removed. */
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

/** Copies the backup with its keys, in the current layout. */
async function copyBackup({ store, keys }: OpenedBackup, { driver, path }: Target): Promise<Rebuilt> {
  const isEmpty = await isEmptyStore(store);
  // This upgrades only our temporary copy of the backup.
  const keyring = isEmpty ? null : await keys.forEncrypt(0);
  const count = await buildStore(driver, path, async (built) => await copyStore(store, built));
  return { ...count, keyring };
}

/** Encrypts all records of the backup again under the keys of the existing store, and begins the next epoch. */
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

/** Decrypts all versions of a secret of the backup, the oldest first, with the revision after the existing one. */
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

/**
 * Returns the stored revision of a secret; 0 if it is not found, damaged or forged, because the backup then repairs it.
 */
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
