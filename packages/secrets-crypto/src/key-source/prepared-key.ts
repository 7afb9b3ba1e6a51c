import { randomBytes } from "node:crypto";
import { existsSync, linkSync, lstatSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  checkFolder,
  createPrivateFile,
  moveFile,
  syncFile,
  syncFolder,
  temporaryPath,
  withLockFile,
} from "@autokestra/private-files";
import { AutokestraError, type MasterKey, type Stretching } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { KEY_BYTES } from "../aes-gcm.ts";
import { fingerprintOf } from "../key-derivation.ts";
import { createKeyFile, keyFileError, type ReadKeyOptions, readKeyFile, refuseKey } from "./key-file.ts";
import { preparedPaths, readMasterKey, tryReadMasterKey } from "./key-folder.ts";
import { createMasterKey } from "./master-key.ts";

/** In milliseconds: longer than the lock of a killed process lasts. */
const LOCK_WAIT = 12_000;

/** A new key beside a key file, which replaces that file once the keys of the store are wrapped under it. */
export interface PreparedKey {
  readonly key: MasterKey;
  readonly fingerprint: string;
  /**
   * Replaces the key file by this key. The previous key is kept beside it, named by its fingerprint. Does nothing if
   * another process has already done it.
   *
   * @param isCurrent called under the lock: does the store still use this key? If not, because of a later rotation, the
   * key is only kept. Default: it does
   * @throws AutokestraError `KEY_UNREADABLE`, `KEY_UNAVAILABLE`; the key is then still found beside the key file
   */
  promote(isCurrent?: () => Promise<boolean>): Promise<void>;
}

/**
 * Creates a new key beside a key file. It first checks that the file can be replaced and keeps its key under a second
 * name. Everything is on the disk when it returns, so that the header may be changed to the new key.
 *
 * @param inUse fingerprint of the key in the file, which names it if it is a passphrase
 * @throws AutokestraError `KEY_UNREADABLE`, `KEY_UNAVAILABLE`; then no new key was created
 */
export async function prepareKey(keyFile: string, inUse: string): Promise<PreparedKey> {
  return await withKeyFileLock(keyFile, async () => {
    checkReplaceable(keyFile);
    keepKey(keyFile, inUse);
    const bytes = randomBytes(KEY_BYTES);
    const fingerprint = fingerprintOf(bytes);
    const path = `${keyFile}.${fingerprint}.new`;
    createKeyFile(path, bytes);
    const key = createMasterKey({ kind: "bytes", material: bytes }, path, null);
    return await Promise.resolve(preparedKey(keyFile, path, key, fingerprint, inUse));
  });
}

/**
 * Finds the keys that rotations have left beside a key file. After a rotation that was killed between the change of the
 * header and that of the key file, one of them is the only key that opens the store.
 *
 * @param inUse fingerprint of the key in the file, which names it if it is a passphrase
 */
export async function findPreparedKeys(keyFile: string, inUse: string): Promise<readonly PreparedKey[]> {
  const found: PreparedKey[] = [];
  for (const { path } of preparedPaths(keyFile)) {
    const key = tryReadMasterKey(path, null);
    const bytes = (await key?.bytes(null)) ?? null;
    if (key === null || bytes === null) continue;
    found.push(preparedKey(keyFile, path, key, fingerprintOf(bytes), inUse));
    bytes.fill(0);
  }
  return found;
}

function preparedKey(keyFile: string, path: string, key: MasterKey, fingerprint: string, inUse: string): PreparedKey {
  return {
    key,
    fingerprint,
    async promote(isCurrent = async () => await Promise.resolve(true)) {
      await withKeyFileLock(keyFile, async (isHeld) => {
        if (!existsSync(path)) return;
        if (await isCurrent()) {
          keepKey(keyFile, inUse);
          if (!isHeld()) throw busy(keyFile);
          replaceKeyFile(path, keyFile);
        } else {
          keepUnder(path, `${keyFile}.${fingerprint}`);
        }
      });
    },
  };
}

/**
 * Keeps the key in a key file under a second name beside it, which contains its fingerprint. No file is ever replaced.
 *
 * @param inUse names the key if it is a passphrase
 * @returns the path of the kept key; null if the key file does not exist
 * @throws AutokestraError `KEY_UNREADABLE`, `KEY_INVALID`, `KEY_UNAVAILABLE`
 */
export function keepKey(keyFile: string, inUse: string): string | null {
  const content = readKeyFile(keyFile);
  if (content === null) return null;
  const fingerprint = content.kind === "bytes" ? fingerprintOf(content.material) : inUse;
  content.material.fill(0);
  return keepUnder(keyFile, `${keyFile}.${fingerprint}`);
}

function keepUnder(path: string, name: string): string {
  try {
    for (let count = 1; ; count++) {
      const kept = count === 1 ? name : `${name}-${count}`;
      if (!linkOrCopy(path, kept) && !haveSameBytes(path, kept)) continue;
      syncFile(kept);
      syncFolder(dirname(kept));
      return kept;
    }
  } catch (error) {
    throw keyFileError(path, "cannot be kept", error);
  }
}

function linkOrCopy(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    return errorCode(error) === "EEXIST" ? false : createPrivateFile(to, readFileSync(from));
  }
}

function haveSameBytes(path: string, kept: string): boolean {
  // A symbolic link to the key file would change together with it.
  if (!lstatSync(kept).isFile()) return false;
  return readFileSync(path).equals(readFileSync(kept));
}

/** What cannot be linked cannot be replaced: a mount point, a file in a read-only folder, an immutable file. */
function checkReplaceable(keyFile: string): void {
  const probe = temporaryPath(keyFile);
  try {
    if (lstatSync(keyFile, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      throw refuseKey(keyFile)("is a symbolic link, which cannot be replaced by a key");
    }
    linkSync(keyFile, probe);
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    if (!["ENOENT", "EMLINK"].includes(errorCode(error))) throw keyFileError(keyFile, "cannot be replaced", error);
  } finally {
    rmSync(probe, { force: true });
  }
}

function replaceKeyFile(path: string, keyFile: string): void {
  try {
    moveFile(path, keyFile);
  } catch (error) {
    throw keyFileError(keyFile, "cannot be replaced", error);
  }
}

async function withKeyFileLock<T>(keyFile: string, work: (isHeld: () => boolean) => Promise<T>): Promise<T> {
  try {
    const outcome = await withLockFile(keyFile, LOCK_WAIT, async (isHeld) => ({ value: await work(isHeld) }));
    if (outcome !== null) return outcome.value;
  } catch (error) {
    throw error instanceof AutokestraError ? error : keyFileError(keyFile, "cannot be replaced", error);
  }
  throw busy(keyFile);
}

function busy(keyFile: string): AutokestraError {
  return new AutokestraError("KEY_UNAVAILABLE", `The key file ${keyFile} is being replaced by another process`);
}

export interface NewKeyFileOptions extends ReadKeyOptions {
  /** The folder of `passphrase.json`; null if there is none. */
  readonly keyFolder: string | null;
  /** The key in use: its fingerprint, and how the store stretches it if it is a passphrase. */
  readonly inUse: { readonly fingerprint: string; readonly stretching: Stretching | null };
}

export interface NewKey {
  readonly key: MasterKey;
  /** It is the key in use, possibly in another file. */
  readonly isInUse: boolean;
}

/**
 * Reads the file of the new master key of a rotation. If the file does not exist, it creates a key there, after
 * checking that the key could be read later.
 *
 * @throws AutokestraError `KEY_UNREADABLE`, `KEY_INVALID`, `KEY_UNAVAILABLE`
 */
export async function readNewKeyFile(
  path: string,
  { keyFolder, inUse, ...reading }: NewKeyFileOptions,
): Promise<NewKey> {
  if (readKeyFile(path, reading) === null) {
    checkNewPlace(path);
    createKeyFile(path);
  }
  const key = readMasterKey(path, keyFolder, reading);
  if (key === null) throw refuseKey(path)("disappeared right after it was created");
  const bytes = await key.bytes(inUse.stretching);
  const isInUse = bytes !== null && fingerprintOf(bytes) === inUse.fingerprint;
  bytes?.fill(0);
  return { key, isInUse };
}

/** The owner of the folder, or of the first existing folder above it, can replace the key. */
function checkNewPlace(path: string): void {
  const refuse = refuseKey(path);
  let folder = dirname(resolve(path));
  while (!existsSync(folder)) folder = dirname(folder);
  const { uid } = statSync(folder);
  const me = process.geteuid?.() ?? uid;
  if (uid !== 0 && uid !== me) throw refuse("lies in a folder of another user", "Name a file in a folder of your own.");
  checkFolder(folder, refuse);
}
