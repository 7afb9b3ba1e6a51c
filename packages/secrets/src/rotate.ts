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
import { type ReplaceDataKeyOptions, replaceDataKey } from "./data-key.ts";
import { storeLocation } from "./folders.ts";
import { type Location, locationText } from "./location.ts";
import {
  createProvider,
  keepApart,
  keyOptions,
  openSecretsManager,
  realOrSame,
  type SecretsManager,
  type SecretsOptions,
} from "./manager.ts";
import { findStore, noStoreYet } from "./open-store.ts";

export interface RotateOptions extends ReplaceDataKeyOptions {
  /** The new master key: a key file, made if it is not there. Default: a new key in place of the one in the key file. */
  readonly newKeyFile?: string | undefined;
  /** Rotate every store that this machine knows under the same key, too. Default false. */
  readonly allStores?: boolean | undefined;
  /** Make a new data key too, and encrypt every secret again under it. Default false. */
  readonly dataKey?: boolean | undefined;
}

export interface RotateReport {
  /** Fingerprints of the master key before and now; the same where a signal has ended it before anything was changed. */
  readonly before: string;
  readonly after: string;
  /** Where the master key is now. */
  readonly keyFile: string;
  /** Folders of other stores that were rotated too. */
  readonly otherStores: readonly string[];
  /** False where the signal has ended it before everything was done. */
  readonly isComplete: boolean;
  /** How many secrets are encrypted under which data key; null without `dataKey`, when nobody has looked at them. */
  readonly dataKeys: readonly { readonly id: string; readonly state: string; readonly secrets: number | null }[];
}

/**
 * Replaces the master key: the data keys are wrapped anew, so it takes the same time for any number of secrets. The key before is
 * kept beside the file it was in, under its fingerprint. With `dataKey` every version of every secret is encrypted again too, in
 * batches, while others read and write. Killed at any moment it loses nothing; running it again finishes it.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where there is no store; `OPTION_INVALID` where the key in use is no file and none is named, where
 * other stores need the file that would be replaced, or where the new key is the one in use; `KEY_*`, `STORE_*`, `INTEGRITY_FAILED`
 */
export async function rotateKeys(options: SecretsOptions, rotation: RotateOptions = {}): Promise<RotateReport> {
  return await recordOperation(options, "keys.rotate", async () => {
    const opened = await openForRotation(options, rotation);
    try {
      return await rotateOpened(options, opened, rotation);
    } finally {
      await opened.installation.secrets.close();
    }
  });
}

/** A store to rotate. */
interface OpenedForRotation {
  readonly installation: SecretsManager;
  /** Only the new key file opens it: a rotation to it was ended after it had changed the store. */
  readonly isResumed: boolean;
}

/** Does what {@link rotateKeys} promises with a store that is open. */
export async function rotateOpened(
  options: SecretsOptions,
  opened: OpenedForRotation,
  rotation: RotateOptions,
): Promise<RotateReport> {
  const { installation } = opened;
  const { newKeyFile, dataKey = false } = rotation;
  const { isDone, ...master } =
    newKeyFile === undefined
      ? await replaceKeyFile(options, installation, rotation)
      : await changeKeyFile(options, opened, newKeyFile, rotation);
  const counts = dataKey && isDone ? await replaceDataKey(installation, rotation) : null;
  const { header, fingerprint, epoch } = await installation.keys.current();
  // An earlier call may have been killed before it had done this.
  await memoryOf(installation).remember({ storeId: header.storeId, epoch, fingerprint });
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

/** What the step of the master key has come to. */
interface MasterReport extends Pick<RotateReport, "before" | "keyFile" | "otherStores"> {
  readonly isDone: boolean;
}

async function openForRotation(options: SecretsOptions, { newKeyFile }: RotateOptions): Promise<OpenedForRotation> {
  const installation = await openExisting(options);
  try {
    await installation.keys.current();
    return { installation, isResumed: false };
  } catch (error) {
    await installation.secrets.close();
    if (newKeyFile === undefined || !hasCode(error, "KEY_WRONG", "KEY_MISSING", "STORE_ROLLED_BACK")) throw error;
    const resumed = await openExisting({ ...options, keyFile: newKeyFile });
    const opened = { installation: resumed, isResumed: true };
    if (await isUnder(opened, options, newKeyFile)) return opened;
    await resumed.secrets.close();
    throw error;
  }
}

/** Whether the new key file opens the store, and the key that was named without success is one that the store has left for it. */
async function isUnder(opened: OpenedForRotation, options: SecretsOptions, newKeyFile: string): Promise<boolean> {
  try {
    await opened.installation.keys.current();
  } catch {
    // The error of the key that was named counts.
    return false;
  }
  return (await findReplacedKey(options, opened, newKeyFile)) !== null;
}

async function openExisting(options: SecretsOptions): Promise<SecretsManager> {
  const installation = await openSecretsManager({ ...options, create: false });
  if (installation.driver !== null) return installation;
  await installation.secrets.close();
  throw noStoreYet(storeLocation(options));
}

/** Puts a new key in place of the one in the key file. */
async function replaceKeyFile(
  options: SecretsOptions,
  { keys, provider, location, keyFolder }: SecretsManager,
  { allStores = false, signal }: RotateOptions,
): Promise<MasterReport> {
  const { source, fingerprint } = await keys.current();
  const keyFile = keyFilePath(keyOptions(options));
  if (source === KEY_VARIABLE || keyFile === null) throw noKeyFile(source);
  const { isGiven, first } = await provider.search();
  const before = (first === null ? null : await fingerprintOfKey(first, keyFolder)) ?? fingerprint;
  // What a rotation has left that was killed before it put its key in place.
  const left = (await findPreparedKeys(keyFile, before)).find((prepared) => prepared.fingerprint === fingerprint);
  const others = isGiven || allStores ? await otherStores(options, location, left ? before : fingerprint) : [];
  if (isGiven && others.length > 0 && !allStores) throw neededByOthers(keyFile, others);
  if (signal?.aborted) return nothingDone(fingerprint, source);
  const prepared = left ?? (await prepareKey(keyFile, before));
  if (left === undefined) await keys.rotateMasterKey(prepared.key);
  const rotated = allStores ? await rotateOthers(options, others, prepared.key, signal) : [];
  const isDone = !allStores || rotated.length === others.length;
  // Until now the new key lies beside the old one, where it is looked for; the stores that are left need the old one in its place.
  if (isDone) await prepared.promote(async () => (await keys.current()).fingerprint === prepared.fingerprint);
  return {
    before: left === undefined ? fingerprint : before,
    keyFile: isDone ? keyFile : prepared.key.source,
    otherStores: rotated,
    isDone,
  };
}

/** Goes over to the key of another file; the one before stays where it is. */
async function changeKeyFile(
  options: SecretsOptions,
  opened: OpenedForRotation,
  keyFile: string,
  { allStores = false, signal }: RotateOptions,
): Promise<MasterReport> {
  const { keys, location, keyFolder } = opened.installation;
  const { fingerprint, source, header } = await keys.current();
  keepApart(keyFile, location);
  if (signal?.aborted) return nothingDone(fingerprint, source);
  const inUse = { fingerprint, stretching: stretchingOf(header.kdf) };
  const { key, isInUse } = await readNewKeyFile(keyFile, { inUse, keyFolder });
  // The key before says which other stores are still to be rotated.
  const before = isInUse ? await findReplacedKey(options, opened, keyFile) : fingerprint;
  if (before === null) throw alreadyInUse(keyFile);
  const others = allStores ? await otherStores(options, location, before) : [];
  if (!isInUse) await keys.rotateMasterKey(key);
  const rotated = await rotateOthers(options, others, key, signal);
  return { before, keyFile, otherStores: rotated, isDone: rotated.length === others.length };
}

/**
 * The key that an earlier call has replaced by the one in the new key file, whether it was ended or came to its end; null where
 * the person has only named the key in use, or a copy of it.
 */
async function findReplacedKey(
  options: SecretsOptions,
  { installation, isResumed }: OpenedForRotation,
  keyFile: string,
): Promise<string | null> {
  const { fingerprint, source } = await installation.keys.current();
  const isSource = realOrSame(keyFile) === realOrSame(source);
  const { first, isGiven } = await createProvider(options).search();
  const isBeside = !isGiven && source !== first?.source;
  if (!isSource && (isResumed || !isBeside)) return null;
  const known = await memoryOf(installation).recall();
  // What is remembered under another key is from before the earlier call.
  const isOutdated = known !== null && known.fingerprint !== fingerprint;
  const last = isOutdated ? known.fingerprint : (known?.left.at(-1) ?? null);
  const named = first === null ? null : await fingerprintOfKey(first, installation.keyFolder);
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

/** Folders of the other stores that this machine knows under this master key. */
async function otherStores(
  options: SecretsOptions,
  location: Location,
  fingerprint: string,
): Promise<readonly string[]> {
  const own = realOrSame(locationText(location));
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

/** The fingerprint in the header of a store; null where there is none. A store that cannot be read is an error: it may be needed. */
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

/** @returns the folders of those that were rotated before the signal came */
async function rotateOthers(
  options: SecretsOptions,
  folders: readonly string[],
  next: MasterKey,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const rotated: string[] = [];
  for (const storagePath of folders) {
    if (signal?.aborted) break;
    const { keys, secrets } = await openExisting({ ...options, storagePath, backend: "auto" });
    try {
      await keys.rotateMasterKey(next);
    } finally {
      await secrets.close();
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
      hint: "Say which file the new key goes to.",
    },
  );
}

function alreadyInUse(keyFile: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", `The key file ${keyFile} holds the key that is in use`, {
    hint: "Name a file with another key, or one that is not there yet.",
  });
}

function neededByOthers(keyFile: string, folders: readonly string[]): AutokestraError {
  const list = folders.map(quotePath).join(", ");
  return new AutokestraError("OPTION_INVALID", `The key file ${keyFile} is also the key of the secrets in ${list}`, {
    hint: "Rotate all of these stores together, or say which other file the new key of this one goes to.",
  });
}
