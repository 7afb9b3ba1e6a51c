import { lstatSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { homeFolder } from "@autokestra/private-files";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { MAX_KEY_BYTES, type ReadKeyOptions, readKeyFile } from "./key-file.ts";
import { createMasterKey } from "./master-key.ts";

/** Files of the key folder that are not keys, whatever they contain. */
const NO_KEYS = [".json", ".lock", ".draft"];

/**
 * Returns the key folder of this user: `.autokestra` in HOME. If HOME is empty or relative, the home folder of the
 * account is used, so that no key ends up in the working directory.
 *
 * @returns null if the account has no home folder either
 */
export function defaultKeyFolder(env: NodeJS.ProcessEnv = process.env): string | null {
  const home = homeFolder(env);
  return home === null ? null : join(home, ".autokestra");
}

/** The key file that is read and created if no key is named. */
export function defaultKeyFile(keyFolder: string): string {
  return join(keyFolder, "secret.key");
}

/** Reads the key in a file; null if the file does not exist. @throws as {@link readKeyFile} */
export function readMasterKey(path: string, keyFolder: string | null, options: ReadKeyOptions): MasterKey | null {
  const content = readKeyFile(path, options);
  return content === null ? null : createMasterKey(content, path, keyFolder);
}

/** Reads the key in a file that may be anything; null if it is not a key or not private enough. */
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
  /** From the name of the file; null if version 1 has created it. */
  readonly fingerprint: string | null;
}

/** The keys that rotations have prepared beside a key file and that have not replaced it yet. */
export function preparedPaths(keyFile: string): readonly PreparedPath[] {
  const prefix = `${basename(keyFile)}.`;
  return namesIn(dirname(keyFile)).flatMap((name) => {
    const [, id] =
      /^([0-9a-f]{8}|[0-9a-f]{16})\.new$/.exec(name.startsWith(prefix) ? name.slice(prefix.length) : "") ?? [];
    if (id === undefined) return [];
    return [{ path: join(dirname(keyFile), name), fingerprint: id.length === 16 ? id : null }];
  });
}

/** All files of a folder that may contain a key. */
export function keyPathsIn(folder: string): readonly string[] {
  return namesIn(folder)
    .filter((name) => !NO_KEYS.some((ending) => name.endsWith(ending)))
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

/** Is the file named after this key, such as `secret.key.0123456789abcdef`? */
export function isNamedAfter(path: string, fingerprint: string): boolean {
  return basename(path).split(/[.-]/).includes(fingerprint);
}
