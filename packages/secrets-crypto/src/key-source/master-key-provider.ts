import { resolve } from "node:path";
import { AutokestraError, type KeySearch, type MasterKey, type MasterKeyProvider } from "@autokestra/secrets-core";
import { createKeyFile, type KeyContent, parseKeyText, type ReadKeyOptions, refuseKey } from "./key-file.ts";
import {
  defaultKeyFile,
  defaultKeyFolder,
  isNamedAfter,
  keyPathsIn,
  preparedPaths,
  readMasterKey,
  tryReadMasterKey,
} from "./key-folder.ts";
import { createMasterKey, fingerprintOfKey } from "./master-key.ts";

/** The variable that may hold the master key. */
export const KEY_VARIABLE = "AUTOKESTRA_SECRET_KEY";

/** The variable that may name the key file. */
export const KEY_FILE_VARIABLE = "AUTOKESTRA_SECRET_KEY_FILE";

export interface MasterKeyOptions {
  /**
   * The environment to look in. The key is taken out of it when the first provider is made, and kept for every later provider over
   * the same object. Default: `process.env`.
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** A key file that the person has named: it is tried alone. */
  readonly keyFile?: string | undefined;
  /** The key file that counts, and is tried alone, where no variable names a key. Default: none. */
  readonly defaultKeyFile?: string | undefined;
  /** Where keys are looked for and made that nobody has named. Default: {@link defaultKeyFolder}; null: nowhere. */
  readonly keyFolder?: string | null | undefined;
  /** Leaves the key in the environment, for programs that own it. Default: false. */
  readonly keepInEnvironment?: boolean | undefined;
  /** Told, once for each file, of keys that others can read where they are mounted. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** What was in the environments of this process, or why it is no key. */
const taken = new WeakMap<NodeJS.ProcessEnv, KeyContent | AutokestraError>();

/** The environments that a program has asked to leave the key in. */
const kept = new WeakSet<NodeJS.ProcessEnv>();

/**
 * Takes the key out of the environment before foreign code runs that could read it there. It is kept for later providers. Does
 * nothing where a provider was told to leave it.
 *
 * @param env default: `process.env`
 */
export function takeKeyVariable(env: NodeJS.ProcessEnv = process.env): void {
  if (!kept.has(env)) takeVariable({ env });
}

/**
 * The key file that is read, and made where there is none: the named one, else that of `AUTOKESTRA_SECRET_KEY_FILE`, else
 * the default one, else `secret.key` in the key folder; null where there is no key folder.
 */
export function keyFilePath(options: MasterKeyOptions = {}): string | null {
  const given = givenFile(options);
  if (given !== null) return given.path;
  const keyFolder = keyFolderOf(options);
  return keyFolder === null ? null : defaultKeyFile(keyFolder);
}

/** The key folder that is looked in; null for none. */
export function keyFolderOf({ env = process.env, keyFolder }: MasterKeyOptions): string | null {
  return keyFolder === undefined ? defaultKeyFolder(env) : keyFolder;
}

interface GivenFile {
  readonly path: string;
  /** Who has named it. */
  readonly label: string;
}

function givenFile(options: MasterKeyOptions): GivenFile | null {
  return namedFile(options) ?? fileWithoutName(options);
}

function namedFile({ keyFile }: MasterKeyOptions): GivenFile | null {
  return keyFile === undefined || keyFile === ""
    ? null
    : { path: resolve(keyFile), label: "the key file that was named" };
}

/** The file that counts where the variable with the key is not set either. */
function fileWithoutName({ env = process.env, defaultKeyFile }: MasterKeyOptions): GivenFile | null {
  const path = env[KEY_FILE_VARIABLE] ?? "";
  if (path !== "") return { path: resolve(path), label: KEY_FILE_VARIABLE };
  return defaultKeyFile === undefined
    ? null
    : { path: resolve(defaultKeyFile), label: "the key file that is configured" };
}

/**
 * Looks for master keys. The first of these that is set is given and tried alone: the option `keyFile`, `AUTOKESTRA_SECRET_KEY`,
 * `AUTOKESTRA_SECRET_KEY_FILE`, the option `defaultKeyFile`. Only where none is, the key is looked for in the key folder.
 */
export function createMasterKeyProvider(options: MasterKeyOptions = {}): MasterKeyProvider {
  const keyFolder = keyFolderOf(options);
  const reading = { onNotice: onceEach(options.onNotice) };
  takeVariable(options);
  return {
    async search() {
      const variable = takeVariable(options);
      const named = namedFile(options);
      if (named !== null) return searchFile(named, [], keyFolder, reading);
      if (variable !== null) return await Promise.resolve(searchVariable(variable, keyFolder));
      const unset = [`${KEY_VARIABLE} (not set)`];
      const file = fileWithoutName(options);
      if (file !== null) return searchFile(file, unset, keyFolder, reading);
      unset.push(`${KEY_FILE_VARIABLE} (not set)`);
      return keyFolder === null ? nowhere(unset) : searchFolder(keyFolder, unset, reading);
    },

    async generate() {
      const path = keyFilePath(options);
      if (path === null) throw new AutokestraError("KEY_MISSING", "No master key is given, and there is no key folder");
      createKeyFile(path);
      const key = readMasterKey(path, keyFolder, reading);
      if (key === null) throw refuseKey(path)("is gone right after it was made");
      return await Promise.resolve(key);
    },
  };
}

/** A key that stays in the environment is inherited by every child process and printed by every crash report. */
function takeVariable({ env = process.env, keepInEnvironment }: MasterKeyOptions): KeyContent | AutokestraError | null {
  const text = env[KEY_VARIABLE] ?? "";
  if (keepInEnvironment === true) kept.add(env);
  if (keepInEnvironment === true && text !== "") return parseVariable(text);
  if (text !== "") taken.set(env, parseVariable(text));
  if (keepInEnvironment !== true) delete env[KEY_VARIABLE];
  return taken.get(env) ?? null;
}

function parseVariable(text: string): KeyContent | AutokestraError {
  try {
    return parseKeyText(text, KEY_VARIABLE);
  } catch (error) {
    if (error instanceof AutokestraError) return error;
    throw error;
  }
}

function searchVariable(content: KeyContent | AutokestraError, keyFolder: string | null): KeySearch {
  if (content instanceof AutokestraError) throw content;
  const first = createMasterKey(content, KEY_VARIABLE, keyFolder);
  return {
    isGiven: true,
    places: [`${KEY_VARIABLE} (${inWords(first)})`],
    first,
    async *keys() {
      yield await Promise.resolve(first);
    },
    elsewhere: async (fingerprint) => await findInFolder(keyFolder, fingerprint),
  };
}

async function findInFolder(keyFolder: string | null, fingerprint: string): Promise<string | null> {
  for (const path of keyFolder === null ? [] : keyPathsIn(keyFolder)) {
    const key = tryReadMasterKey(path, keyFolder);
    if (key?.kind === "bytes" && (await fingerprintOfKey(key, null)) === fingerprint) return path;
  }
  return null;
}

/** The file itself and what a rotation has left beside it, which belongs to it. */
function searchFile(
  { path, label }: GivenFile,
  before: readonly string[],
  keyFolder: string | null,
  reading: ReadKeyOptions,
): KeySearch {
  const first = readMasterKey(path, keyFolder, reading);
  return {
    isGiven: true,
    places: [...before, `${label}: ${path} (${inWords(first)})`],
    first,
    async *keys(fingerprint) {
      if (first !== null) yield first;
      for (const prepared of preparedPaths(path)) {
        if (fingerprint !== null && prepared.fingerprint !== null && prepared.fingerprint !== fingerprint) continue;
        const key = tryReadMasterKey(prepared.path, keyFolder, reading);
        if (key !== null) yield await Promise.resolve(key);
      }
    },
    elsewhere: async (fingerprint) => await findInFolder(keyFolder, fingerprint),
  };
}

/** The default key, then the others: those first that are named after the key that is looked for. */
function searchFolder(keyFolder: string, before: readonly string[], reading: ReadKeyOptions): KeySearch {
  const path = defaultKeyFile(keyFolder);
  const first = readMasterKey(path, keyFolder, reading);
  const paths = keyPathsIn(keyFolder).filter((other) => other !== path);
  return {
    isGiven: false,
    get places() {
      const others = paths.filter((other) => tryReadMasterKey(other, keyFolder, reading) !== null).length;
      const found = others === 0 ? [] : [`${others} other key file${others === 1 ? "" : "s"} in ${keyFolder}`];
      return [...before, `${path} (${inWords(first)})`, ...found];
    },
    first,
    async *keys(fingerprint) {
      if (first !== null) yield first;
      const prepared = preparedPaths(path).map((entry) => entry.path);
      const rank = (other: string) => {
        if (fingerprint !== null && isNamedAfter(other, fingerprint)) return prepared.includes(other) ? 0 : 1;
        return prepared.includes(other) ? 2 : 3;
      };
      for (const other of paths.toSorted((a, b) => rank(a) - rank(b))) {
        const key = tryReadMasterKey(other, keyFolder, reading);
        if (key !== null) yield await Promise.resolve(key);
      }
    },
    elsewhere: async () => await Promise.resolve(null),
  };
}

function nowhere(places: readonly string[]): KeySearch {
  return {
    isGiven: false,
    places,
    first: null,
    async *keys() {
      // There is none.
    },
    elsewhere: async () => await Promise.resolve(null),
  };
}

function inWords(key: MasterKey | null): string {
  if (key === null) return "no such file";
  return key.kind === "bytes" ? "a key" : "a passphrase";
}

function onceEach(onNotice: MasterKeyOptions["onNotice"]): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) onNotice?.(text);
    told.add(text);
  };
}
