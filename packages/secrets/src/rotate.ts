import { realPath } from "@autokestra/private-files";
import { AutokestraError, hasCode, type MasterKey } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import { KEY_VARIABLE, type StoreMemory } from "@autokestra/secrets-crypto";
import {
  findPreparedKeys,
  fingerprintOfKey,
  keyFilePath,
  keyFolderOf,
  openKnownStores,
  parseHeader,
  prepareKey,
  readNewKeyFile,
  stretchingOf,
} from "@autokestra/secrets-crypto/internal";
import { recordOperation } from "./access/recorded-operation.ts";
import { replaceDataKey } from "./data-key.ts";
import { storeLocation } from "./folders.ts";
import { recordMasterKey } from "./key-dates.ts";
import { keepApart, knownLocation, type Location, locationText } from "./location.ts";
import { createProvider, keyOptions, openSecretsManager, type SecretsManager, type SecretsOptions } from "./manager.ts";
import { findStore, noStoreYet } from "./open-store.ts";
import type { ReencryptOptions } from "./reencryption.ts";

export interface RotateOptions extends ReencryptOptions {
  /** The path of the new key file, which is created if needed. Default: replace the key in the current key file. */
  readonly newKeyFile?: string | undefined;
  /** Also rotate all other stores that this machine knows under the same key. Default: false. */
  readonly allStores?: boolean | undefined;
  /** Also create a new data key, and encrypt all secrets again under it. Default: false. */
  readonly dataKey?: boolean | undefined;
}

export interface RotateReport {
  /** The fingerprints of the master key before and after; equal if the signal came before anything was changed. */
  readonly before: string;
  readonly after: string;
  /** The path of the key file with the master key. */
  readonly keyFile: string;
  /** The folders of the other stores that were rotated too. */
  readonly otherStores: readonly string[];
  /** False if the signal came before everything was done. */
  readonly isComplete: boolean;
  /** The data keys, with the number of secrets that are encrypted under each; null without `dataKey`. */
  readonly dataKeys: readonly { readonly id: string; readonly state: string; readonly secrets: number | null }[];
}

/**
 * Replaces the master key. It only wraps the data keys again, so it takes the same time for any number of secrets. The
 * previous key is kept beside its file, under its fingerprint. With `dataKey`, all versions of all secrets are
 * encrypted again too, in batches, while other processes read and write. If it is killed, nothing is lost; call it
 * again to finish.
 *
 * @param options which secrets to rotate
 * @param rotation how to rotate them. Default: a new master key in the same key file
 * @throws AutokestraError `STORE_UNAVAILABLE` if there is no store; `OPTION_INVALID` if the current key is not in a
 * file and no new file is given, if other stores need the file that would be replaced, or if the new key is the current
 * one; `KEY_*`, `STORE_*`, `INTEGRITY_FAILED`
 *
 * @example
 * ```ts
 * import { mkdtempSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { openSecrets, rotateKeys } from "@autokestra/secrets";
 *
 * const folder = mkdtempSync(join(tmpdir(), "demo-"));
 * const options = { storagePath: join(folder, "secrets"), keyFile: join(folder, "secret.key") };
 * const secrets = await openSecrets(options);
 * await secrets.set({ name: "TOKEN", type: "apiKey", fields: { value: "s3cret-t0ken" } });
 * await secrets.close();
 *
 * const { isComplete, dataKeys } = await rotateKeys(options, { dataKey: true });
 * console.log(isComplete, dataKeys.find(({ state }) => state === "active")?.secrets); // prints true 1
 * ```
 */
export async function rotateKeys(options: SecretsOptions, rotation: RotateOptions = {}): Promise<RotateReport> {
  return await recordOperation(options, "keys.rotate", async () => {
    const opened = await openForRotation(options, rotation);
    try {
      return await rotateOpened(options, opened, rotation);
    } finally {
      await opened.manager.secrets.close();
    }
  });
}

/** A store to rotate. */
interface OpenedForRotation {
  readonly manager: SecretsManager;
  /** True if only the new key file opens it: an earlier rotation was stopped after it had changed the store. */
  readonly isResumed: boolean;
}

/** Rotates an open store, as {@link rotateKeys} describes. */
export async function rotateOpened(
  options: SecretsOptions,
  opened: OpenedForRotation,
  rotation: RotateOptions,
): Promise<RotateReport> {
  const { keys } = opened.manager;
  const { fingerprint: before } = await keys.keyring();
  try {
    return await rotateSteps(options, opened, rotation);
  } catch (error) {
    const { fingerprint } = await keys.keyring().catch(() => ({ fingerprint: before }));
    throw fingerprint === before ? error : afterNewKey(error, fingerprint, rotation.newKeyFile);
  }
}

/** Adds to an error of a later step that the master key is another one by now. */
function afterNewKey(error: unknown, fingerprint: string, newKeyFile: string | undefined): unknown {
  if (!(error instanceof AutokestraError)) return error;
  const { code, message, details } = error;
  const place =
    newKeyFile === undefined ? "its file is found without being named" : `it is in ${quotePath(newKeyFile)}`;
  const done = `The master key was replaced before that by ${fingerprint}, which opens these secrets now; ${place}.`;
  return new AutokestraError(code, message, { hint: [error.hint, done].filter(Boolean).join(" "), details });
}

async function rotateSteps(
  options: SecretsOptions,
  opened: OpenedForRotation,
  rotation: RotateOptions,
): Promise<RotateReport> {
  const { manager } = opened;
  const { newKeyFile, dataKey = false } = rotation;
  const { isDone, ...master } =
    newKeyFile === undefined
      ? await replaceKeyFile(options, manager, rotation)
      : await changeKeyFile(options, opened, newKeyFile, rotation);
  if (master.before !== (await manager.keys.keyring()).fingerprint) await recordMasterKey(manager);
  const counts = dataKey && isDone ? await replaceDataKey(manager, rotation) : null;
  const { header, fingerprint, epoch } = await manager.keys.keyring();
  // Also if nothing has changed: an earlier call may have been killed before this line.
  await memoryOf(manager).remember({ storeId: header.storeId, epoch, fingerprint });
  return {
    ...master,
    after: fingerprint,
    isComplete: isDone && (!dataKey || counts !== null),
    dataKeys: header.dataKeys.map(({ id, state }) => ({
      id,
      state,
      secrets: counts === null ? null : (counts.get(id) ?? 0),
    })),
  };
}

/** The result of replacing the master key. */
interface MasterReport extends Pick<RotateReport, "before" | "keyFile" | "otherStores"> {
  readonly isDone: boolean;
}

async function openForRotation(options: SecretsOptions, { newKeyFile }: RotateOptions): Promise<OpenedForRotation> {
  const manager = await openExisting(options);
  try {
    await manager.keys.keyring();
    return { manager, isResumed: false };
  } catch (error) {
    await manager.secrets.close();
    if (newKeyFile === undefined || !hasCode(error, "KEY_WRONG", "KEY_MISSING", "STORE_ROLLED_BACK")) throw error;
    const resumed = await openExisting({ ...options, keyFile: newKeyFile });
    const opened = { manager: resumed, isResumed: true };
    if (await isUnder(opened, options, newKeyFile)) return opened;
    await resumed.secrets.close();
    throw error;
  }
}

/**
 * Tells whether the new key file opens the store, and the named key, which does not, is the one that it has replaced.
 */
async function isUnder(opened: OpenedForRotation, options: SecretsOptions, newKeyFile: string): Promise<boolean> {
  try {
    await opened.manager.keys.keyring();
  } catch {
    // The caller throws the error of the named key.
    return false;
  }
  return (await findReplacedKey(options, opened, newKeyFile)) !== null;
}

async function openExisting(options: SecretsOptions): Promise<SecretsManager> {
  const manager = await openSecretsManager({ ...options, create: false });
  if (manager.driver !== null) return manager;
  await manager.secrets.close();
  throw noStoreYet(storeLocation(options));
}

/** Replaces the key in the key file. */
async function replaceKeyFile(
  options: SecretsOptions,
  { keys, provider, location, keyFolder }: SecretsManager,
  { allStores = false, signal }: RotateOptions,
): Promise<MasterReport> {
  const { source, fingerprint } = await keys.keyring();
  const keyFile = keyFilePath(keyOptions(options));
  if (source === KEY_VARIABLE || keyFile === null) throw noKeyFile(source);
  const { isGiven, first } = await provider.search();
  const before = (first === null ? null : await fingerprintOfKey(first, keyFolder)) ?? fingerprint;
  // The key that a rotation has left because it was killed before it replaced the key file.
  const left = (await findPreparedKeys(keyFile, before)).find((prepared) => prepared.fingerprint === fingerprint);
  const others = isGiven || allStores ? await otherStores(options, location, left ? before : fingerprint) : [];
  if (isGiven && others.length > 0 && !allStores) throw neededByOthers(keyFile, others);
  if (signal?.aborted) return nothingDone(fingerprint, source);
  const prepared = left ?? (await prepareKey(keyFile, before));
  if (left === undefined) await keys.rotateMasterKey(prepared.key);
  const rotated = allStores ? await rotateOthers(options, others, prepared.key, signal) : [];
  const isDone = !allStores || rotated.length === others.length;
  // Until now the new key is beside the old one, where it is found. Stores that are not rotated yet need the old key file.
  if (isDone) await prepared.promote(async () => (await keys.keyring()).fingerprint === prepared.fingerprint);
  return {
    before: left === undefined ? fingerprint : before,
    keyFile: isDone ? keyFile : prepared.key.source,
    otherStores: rotated,
    isDone,
  };
}

/** Changes to the key of another file. The previous key file stays as it is. */
async function changeKeyFile(
  options: SecretsOptions,
  opened: OpenedForRotation,
  keyFile: string,
  { allStores = false, signal }: RotateOptions,
): Promise<MasterReport> {
  const { keys, location, keyFolder } = opened.manager;
  const { fingerprint, source, header } = await keys.keyring();
  keepApart(keyFile, location);
  if (signal?.aborted) return nothingDone(fingerprint, source);
  const inUse = { fingerprint, stretching: stretchingOf(header.kdf) };
  const { key, isInUse } = await readNewKeyFile(keyFile, { inUse, keyFolder });
  // The previous key identifies the other stores that are not rotated yet.
  const before = isInUse ? await findReplacedKey(options, opened, keyFile) : fingerprint;
  if (before === null) throw alreadyInUse(keyFile);
  const others = allStores ? await otherStores(options, location, before) : [];
  if (!isInUse) await keys.rotateMasterKey(key);
  const rotated = await rotateOthers(options, others, key, signal);
  return { before, keyFile, otherStores: rotated, isDone: rotated.length === others.length };
}

/**
 * Returns the fingerprint of the key that an earlier call has replaced by the one in the new key file; null if there
 * was no such call, and the person has only named the current key or a copy of it.
 */
async function findReplacedKey(
  options: SecretsOptions,
  { manager, isResumed }: OpenedForRotation,
  keyFile: string,
): Promise<string | null> {
  const { fingerprint, source } = await manager.keys.keyring();
  const isSource = realPath(keyFile) === realPath(source);
  const { first, isGiven } = await createProvider(options).search();
  const isBeside = !isGiven && source !== first?.source;
  if (!isSource && (isResumed || !isBeside)) return null;
  const known = await memoryOf(manager).recall();
  // A memory under another key is older than the earlier call.
  const isOutdated = known !== null && known.fingerprint !== fingerprint;
  const last = isOutdated ? known.fingerprint : (known?.left.at(-1) ?? null);
  const named = first === null ? null : await fingerprintOfKey(first, manager.keyFolder);
  if (known === null) return isResumed || isBeside ? (named ?? fingerprint) : null;
  if (!isResumed) return last;
  return named === null || isOutdated || known.left.includes(named) ? (named ?? last) : null;
}

function memoryOf({ keyFolder, location }: SecretsManager): StoreMemory {
  return openKnownStores(keyFolder).memoryOf(locationText(location));
}

function nothingDone(fingerprint: string, source: string): MasterReport {
  return { before: fingerprint, keyFile: source, otherStores: [], isDone: false };
}

/** Returns the folders of the other stores that this machine knows under this master key. */
async function otherStores(
  options: SecretsOptions,
  location: Location,
  fingerprint: string,
): Promise<readonly string[]> {
  const own = knownLocation(location);
  const known = openKnownStores(keyFolderOf(keyOptions(options)));
  const others = known.list().filter((one) => one.path !== own && one.fingerprint === fingerprint);
  const used = await Promise.all(
    others.map(async ({ path }) => {
      const stored = await readFingerprint({ ...options, storagePath: path, backend: "auto" });
      return stored === fingerprint ? [path] : [];
    }),
  );
  return used.flat();
}

/** Returns the fingerprint in the header of a store; null if there is none. A store that cannot be read is an error. */
async function readFingerprint(options: SecretsOptions): Promise<string | null> {
  const found = await findStore({ ...options, env: {} }, "any");
  if (found === null) return null;
  try {
    const header = await found.store.readHeader();
    return header === null ? null : parseHeader(header).header.fingerprint;
  } finally {
    await found.store.close();
  }
}

/** @returns the folders of the stores that were rotated before the signal came */
async function rotateOthers(
  options: SecretsOptions,
  folders: readonly string[],
  next: MasterKey,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const rotated: string[] = [];
  for (const storagePath of folders) {
    if (signal?.aborted) break;
    const other = await openExisting({ ...options, storagePath, backend: "auto" });
    try {
      await other.keys.rotateMasterKey(next);
      await recordMasterKey(other);
    } finally {
      await other.secrets.close();
    }
    rotated.push(storagePath);
  }
  return rotated;
}

function noKeyFile(source: string): AutokestraError {
  return new AutokestraError(
    "OPTION_INVALID",
    `The master key comes from ${source}, which cannot be replaced from here`,
    {
      hint: "Name a file for the new key.",
    },
  );
}

function alreadyInUse(keyFile: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `The key file ${keyFile} contains the current key`, {
    hint: "Name a file with another key, or a new file.",
  });
}

function neededByOthers(keyFile: string, folders: readonly string[]): AutokestraError {
  const list = folders.map(quotePath).join(", ");
  return new AutokestraError("OPTION_INVALID", `The key file ${keyFile} is also the key of the secrets in ${list}`, {
    hint: "Rotate all of these stores together, or name another file for the new key of this store.",
  });
}
