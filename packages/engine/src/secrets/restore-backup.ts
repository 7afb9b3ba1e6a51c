import { fstatSync, lstatSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { AutokestraError, errorCode, hasCode, quotePath, type SecretStoreFile } from "@autokestra/secrets-core";
import {
  createMasterKeyProvider,
  createSecretEncryption,
  createStoreKeys,
  keyFilePath,
} from "@autokestra/secrets-crypto";
import { createPrivateFile, makePrivateFolder, systemReason, withOpenFile } from "@autokestra/secrets-files";
import { copyStore, type StoreCount } from "./copy-store.ts";
import { withDraftFolder } from "./draft-folder.ts";
import { examineRecords, type OnExamined } from "./examine-records.ts";
import { keepApart, type SecretsOptions } from "./installation.ts";
import { isEmptyStore } from "./name-pages.ts";
import { askedBackend, type FoundStore, findStore, makeStore, storeFolder } from "./open-store.ts";
import { replaceStore } from "./replace-store.ts";
import { type Backend, openStoreFile, STORE_FILES } from "./store-backend.ts";
import { storedBackend } from "./stored-backend.ts";

export interface RestoreReport extends StoreCount {
  readonly backend: Backend;
  /** Where the store that was there is kept; null where there was none. */
  readonly kept: string | null;
}

/** In bytes: it is read whole. */
const MAX_SIZE = 1024 * 1024 * 1024;

/**
 * Puts the secrets of a backup in the place of those that are there, once every version in it has opened under the master key of
 * this installation. The store keeps its kind; what was there, be it damaged, is kept under another name. No other process may
 * have it open, which is made sure of where it is not damaged.
 *
 * @param file what `backUpStore` has written, of either kind
 * @param onExamined told how many secrets of the backup were tried
 * @throws AutokestraError `STORE_CORRUPT`, `INTEGRITY_FAILED`, `KEY_*` where the backup does not open, `STORE_UNAVAILABLE`;
 * nothing is changed then
 */
export async function restoreBackup(
  options: SecretsOptions,
  file: string,
  onExamined?: OnExamined,
): Promise<RestoreReport> {
  const folder = storeFolder(options);
  const source = resolve(file);
  const content = readBackup(source);
  await keepApart(keyFilePath(options), folder);
  const asked = askedBackend(options);
  const next = storedBackend(folder) ?? (asked === "auto" ? kindOf(content) : asked);
  makePrivateFolder(folder);
  return await withDraftFolder(folder, async (draft) => {
    const copy = join(draft, "backup");
    const path = join(draft, STORE_FILES[next]);
    createPrivateFile(copy, content);
    const count = await rebuild(options, { source, copy, kind: kindOf(content) }, { backend: next, path }, onExamined);
    return { backend: next, ...count, kept: await putInPlace(options, next, path) };
  });
}

/** Builds the store anew: of the file that somebody gives, nothing but records that open is taken over. */
async function rebuild(
  options: SecretsOptions,
  { source, copy, kind }: { readonly source: string; readonly copy: string; readonly kind: Backend },
  { backend, path }: { readonly backend: Backend; readonly path: string },
  onExamined: OnExamined | undefined,
): Promise<StoreCount> {
  const backup = await openBackup(kind, copy, source);
  const keys = createStoreKeys(backup, createMasterKeyProvider(options));
  const encryption = createSecretEncryption(keys);
  try {
    const problems = (await isEmptyStore(backup))
      ? []
      : (await examineRecords({ store: backup, encryption }, await keys.current(), onExamined)).problems;
    const [first] = problems;
    if (first !== undefined)
      throw new AutokestraError("INTEGRITY_FAILED", `${refusal(source)}: ${first}`, { hint: HINT });
    return await copyStore(backup, backend, path);
  } catch (error) {
    throw hasCode(error, "STORE_CORRUPT") ? unusable(source, "is damaged") : error;
  } finally {
    encryption.close();
    await backup.close();
  }
}

async function putInPlace(options: SecretsOptions, next: Backend, path: string): Promise<string | null> {
  const folder = storeFolder(options);
  const found = await takeStore(options, next);
  const replacement = { folder, current: found?.backend ?? next, next, path };
  // Nobody can use a store that is damaged or gone, so nobody writes to it.
  if (found === null) return replaceStore({ ...replacement, isUnchanged: () => true, keep: true });
  const { store } = found;
  try {
    return await store.exclusively(async (isUnchanged) => {
      return replaceStore({ ...replacement, isUnchanged, keep: !(await isEmptyStore(store)) });
    });
  } finally {
    await store.close();
  }
}

/** The store that is there; an empty one where there is none, so that it can be locked; null where it is damaged or gone. */
async function takeStore(options: SecretsOptions, backend: Backend): Promise<FoundStore | null> {
  try {
    return (await findStore(options, "any")) ?? (await makeStore({ ...options, backend }));
  } catch (error) {
    if (hasCode(error, "STORE_CORRUPT")) return null;
    throw error;
  }
}

function readBackup(path: string): Buffer {
  const refuse = (problem: string) => unusable(path, problem);
  try {
    const wal = lstatSync(`${path}-wal`, { throwIfNoEntry: false });
    if ((wal?.size ?? 0) > 0) throw refuse("is a database in use: `autokestra secrets backup` makes a copy of it");
    const content = withOpenFile(path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      if (fstatSync(descriptor).size > MAX_SIZE) throw refuse("is larger than 1 GiB");
      return readFileSync(descriptor);
    });
    if (content !== null) return content;
  } catch (error) {
    const reason = systemReason(error);
    throw reason === null ? error : unusable(path, `cannot be read: ${reason} (${errorCode(error)})`);
  }
  throw new AutokestraError("USAGE", `There is no file ${quotePath(path)}`);
}

function kindOf(content: Buffer): Backend {
  return content.subarray(0, 16).toString("latin1") === "SQLite format 3\0" ? "sqlite" : "file";
}

async function openBackup(kind: Backend, path: string, source: string): Promise<SecretStoreFile> {
  try {
    return await openStoreFile(kind, path, false);
  } catch (error) {
    throw hasCode(error, "STORE_CORRUPT") ? unusable(source, "is no backup of a store, or is damaged") : error;
  }
}

const HINT =
  "Nothing was changed. A backup is what `autokestra secrets backup` has written, and needs the master key of its time.";

function refusal(file: string): string {
  return `The backup ${quotePath(file)} was not put back`;
}

function unusable(file: string, problem: string): AutokestraError {
  return new AutokestraError("STORE_CORRUPT", `${refusal(file)}: it ${problem}`, { hint: HINT });
}
