import { randomBytes } from "node:crypto";
import { linkSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AutokestraError, errorCode, type MasterKey, type PendingKey } from "@autokestra/secrets-core";
import { createPrivateFile, moveFile } from "@autokestra/secrets-files";
import { KEY_BYTES } from "./aes-gcm.ts";
import { readKeyFile } from "./key-file.ts";

/** A rotation takes less than a second: what is left after an hour belongs to none. */
const ABANDONED_MS = 60 * 60 * 1000;

/**
 * Writes a new key beside a key file, to be put in its place once the store is wrapped under it. Each has a name of its own:
 * two rotations at once must not take each other's.
 *
 * @throws AutokestraError `KEY_UNREADABLE` where it cannot be written
 */
export async function createPendingKey(keyFile: string): Promise<PendingKey> {
  const path = `${keyFile}.${randomBytes(4).toString("hex")}.new`;
  try {
    createPrivateFile(path, `${randomBytes(KEY_BYTES).toString("hex")}\n`);
  } catch (error) {
    throw new AutokestraError("KEY_UNREADABLE", `The key file ${path} cannot be written (${errorCode(error)})`);
  }
  const pending = await readPendingKey(path, keyFile);
  if (pending === null)
    throw new AutokestraError("KEY_UNREADABLE", `The key file ${path} is gone right after it was made`);
  return pending;
}

/** The keys that rotations have left beside a key file. */
export async function findPendingKeys(keyFile: string): Promise<readonly PendingKey[]> {
  const found = await Promise.all(pendingPaths(keyFile).map(async (path) => await readPendingKey(path, keyFile)));
  return found.filter((pending) => pending !== null);
}

/** Removes keys of rotations that were killed before they changed the store. Call it when the key file opens the store. */
export function sweepPendingKeys(keyFile: string, now: number): void {
  for (const path of pendingPaths(keyFile)) {
    const made = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
    if (now - made > ABANDONED_MS) rmSync(path, { force: true });
  }
}

function pendingPaths(keyFile: string): string[] {
  const folder = dirname(keyFile);
  const name = basename(keyFile);
  return namesIn(folder)
    .filter((entry) => entry.startsWith(`${name}.`) && /^\.[0-9a-f]{8}\.new$/.test(entry.slice(name.length)))
    .map((entry) => join(folder, entry));
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

async function readPendingKey(path: string, keyFile: string): Promise<PendingKey | null> {
  const content = await readKeyFile(path);
  if (content === null) return null;
  const key: MasterKey = { ...content, source: path, otherSource: null };
  return { key, promote: async () => putInPlace(path, keyFile) };
}

/** The key before is kept beside it: a backup of the store that was made before still needs it. */
function putInPlace(path: string, keyFile: string): void {
  const kept = path.replace(/\.new$/, ".old");
  const keptNow = keepKey(keyFile, kept);
  try {
    moveFile(path, keyFile);
  } catch (error) {
    // Another process has put it in place already; what was kept just now is then no old key.
    if (keptNow) rmSync(kept, { force: true });
    if (errorCode(error) !== "ENOENT") throw cannotReplace(keyFile, error);
  }
}

/** @returns false where there is no key to keep, or it was kept before */
function keepKey(keyFile: string, kept: string): boolean {
  try {
    linkSync(keyFile, kept);
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "EEXIST") return false;
    throw cannotReplace(keyFile, error);
  }
}

function cannotReplace(keyFile: string, error: unknown): AutokestraError {
  return new AutokestraError("KEY_UNREADABLE", `The key file ${keyFile} cannot be replaced (${errorCode(error)})`);
}
