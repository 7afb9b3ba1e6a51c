import { lstatSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { homeFolder } from "@autokestra/private-files";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { MAX_KEY_BYTES, type ReadKeyOptions, readKeyFile } from "./key-file.ts";
import { createMasterKey } from "./master-key.ts";

/** A file of the key folder that is no key, whatever it holds. */
const NO_KEY = /\.(json|lock|draft)$/;

/**
 * The key folder of this user: `.autokestra` in HOME. An empty or relative HOME falls back to the home folder
 * of the account, so that no key ends up in the working directory.
 *
 * @returns null where the account has none either
 */
export function defaultKeyFolder(env: NodeJS.ProcessEnv = process.env): string | null {
  const home = homeFolder(env);
  return home === null ? null : join(home, ".autokestra");
}

/** The key file that is read and made where no key is given. */
export function defaultKeyFile(keyFolder: string): string {
  return join(keyFolder, "secret.key");
}

/** The key in a file, as {@link readKeyFile} reads it. */
export function readMasterKey(path: string, keyFolder: string | null, options: ReadKeyOptions = {}): MasterKey | null {
  const content = readKeyFile(path, options);
  return content === null ? null : createMasterKey(content, path, keyFolder);
}

/** The key in a file that may be anything: null where it is none, or not private enough. */
export function tryReadMasterKey(
  path: string,
  keyFolder: string | null,
  options: ReadKeyOptions = {},
): MasterKey | null {
  try {
    return readMasterKey(path, keyFolder, options);
  } catch (error) {
    if (error instanceof AutokestraError) return null;
    throw error;
  }
}

/** A key that a rotation has prepared beside a key file. */
export interface PreparedPath {
  readonly path: string;
  /** By its name; null where version 1 has made it. */
  readonly fingerprint: string | null;
}

/** The keys that rotations have prepared beside a key file, and that are not in its place yet. */
export function preparedPaths(keyFile: string): readonly PreparedPath[] {
  const prefix = `${basename(keyFile)}.`;
  return namesIn(dirname(keyFile)).flatMap((name) => {
    const [, id] =
      /^([0-9a-f]{8}|[0-9a-f]{16})\.new$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "") ?? [];
    if (id === undefined) return [];
    return [{ path: join(dirname(keyFile), name), fingerprint: id.length === 16 ? id : null }];
  });
}

/** Every file of a folder that may hold a key. */
export function keyPathsIn(folder: string): readonly string[] {
  return namesIn(folder)
    .filter((name) => !NO_KEY.test(name))
    .map((name) => join(folder, name))
    .filter((path) => {
      const stat = lstatSync(path, { throwIfNoEntry: false });
      return stat?.isSymbolicLink() === true || (stat?.isFile() === true && stat.size <= MAX_KEY_BYTES);
    });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Whether a file is named after this key, such as `secret.key.0123456789abcdef`. */
export function isNamedAfter(path: string, fingerprint: string): boolean {
  return basename(path).split(/[.-]/).includes(fingerprint);
}
