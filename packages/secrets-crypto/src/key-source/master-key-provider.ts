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

/** The environment variable that may contain the master key. */
export const KEY_VARIABLE = "AUTOKESTRA_SECRET_KEY";

/** The environment variable that may contain the path of the key file. */
export const KEY_FILE_VARIABLE = "AUTOKESTRA_SECRET_KEY_FILE";

export interface MasterKeyOptions {
  /**
   * The environment to look in. The first provider removes the key from it, and later providers with the same object
   * still find it. Default: `process.env`.
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The path of a key file that the user has named. Only this file is tried. Default: none. */
  readonly keyFile?: string | undefined;
  /** The path of the key file that is used, and tried alone, if no variable names a key. Default: none. */
  readonly defaultKeyFile?: string | undefined;
  /** The folder for keys that nobody has named. Default: {@link defaultKeyFolder}. Null: there is none. */
  readonly keyFolder?: string | null | undefined;
  /** Leaves the key in the environment, for programs that manage it themselves. Default: false. */
  readonly keepInEnvironment?: boolean | undefined;
  /** Called once for each mounted key file that others can read. Default: nothing is called. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** The keys that were in the environments of this process, or why they are invalid. */
const taken = new WeakMap<NodeJS.ProcessEnv, KeyContent | AutokestraError>();

/** The environments in which a program has asked to leave the key. */
const kept = new WeakSet<NodeJS.ProcessEnv>();

/**
 * Removes the key from `process.env` and keeps it for later providers. Call it before code runs that must not read
 * the key there, such as plugins. Does nothing if a provider was created with `keepInEnvironment`.
 */
export function takeKeyVariable(): void {
  if (!kept.has(process.env)) takeVariable({});
}

/**
 * Returns the path of the key file that is read, and created if it does not exist: the option `keyFile`, otherwise
 * `AUTOKESTRA_SECRET_KEY_FILE`, otherwise the option `defaultKeyFile`, otherwise `secret.key` in the key folder; null without a key folder.
 */
export function keyFilePath(options: MasterKeyOptions = {}): string | null {
  const given = givenFile(options);
  if (given !== null) return given.path;
  const keyFolder = keyFolderOf(options);
  return keyFolder === null ? null : defaultKeyFile(keyFolder);
}

/** Returns the key folder of these options; null if there is none. */
export function keyFolderOf({ env = process.env, keyFolder }: MasterKeyOptions): string | null {
  return keyFolder === undefined ? defaultKeyFolder(env) : keyFolder;
}

interface GivenFile {
  readonly path: string;
  /** What has named it, for messages. */
  readonly label: string;
}

function givenFile(options: MasterKeyOptions): GivenFile | null {
  return namedFile(options) ?? fileWithoutName(options);
}

function namedFile({ keyFile }: MasterKeyOptions): GivenFile | null {
  if (keyFile === "") throw new AutokestraError("OPTION_INVALID", "The path of the key file is empty");
  return keyFile === undefined ? null : { path: resolve(keyFile), label: "the key file that was named" };
}

/** The file that counts where the variable with the key is not set either. */
function fileWithoutName({ env = process.env, defaultKeyFile: configured }: MasterKeyOptions): GivenFile | null {
  const path = env[KEY_FILE_VARIABLE] ?? "";
  if (path !== "") return { path: resolve(path), label: KEY_FILE_VARIABLE };
  return configured === undefined ? null : { path: resolve(configured), label: "the key file that is configured" };
}

/**
 * Creates a provider that looks for master keys. The first of these that is set is the only key that is tried: the
 * option `keyFile`, `AUTOKESTRA_SECRET_KEY`, `AUTOKESTRA_SECRET_KEY_FILE`, the option `defaultKeyFile`. If none is set, the provider looks in the
 * key folder, and creates `secret.key` there for a new store. It removes `AUTOKESTRA_SECRET_KEY` from the environment,
 * so that child processes do not inherit it.
 *
 * A key is 64 hex characters or base64 of 32 bytes; another text of at least 12 characters is a passphrase. `search`
 * and `generate` throw AutokestraError `KEY_INVALID`, `KEY_UNREADABLE` or `KEY_UNAVAILABLE`; `generate` throws
 * `KEY_MISSING` without a key folder.
 *
 * @example
 * ```ts
 * import { mkdtemp } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { createMasterKeyProvider } from "@autokestra/secrets-crypto";
 *
 * const keyFolder = await mkdtemp(join(tmpdir(), "keys-"));
 * const provider = createMasterKeyProvider({ env: {}, keyFolder });
 * console.log((await provider.search()).first); // prints null
 * const { kind, source } = await provider.generate(); // writes a key file that only its owner can read
 * console.log(kind, source === join(keyFolder, "secret.key")); // prints bytes true
 * ```
 *
 * @example
 * ```ts
 * import { createMasterKeyProvider } from "@autokestra/secrets-crypto";
 *
 * const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
 * const { first } = await createMasterKeyProvider({ env, keyFolder: null }).search();
 * console.log(first?.kind, first?.source, Object.keys(env)); // prints passphrase AUTOKESTRA_SECRET_KEY []
 * ```
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
      return keyFolder === null ? emptySearch(unset) : searchFolder(keyFolder, unset, reading);
    },

    async generate() {
      const path = keyFilePath(options);
      if (path === null) throw new AutokestraError("KEY_MISSING", "No master key is given, and there is no key folder");
      createKeyFile(path);
      const key = readMasterKey(path, keyFolder, reading);
      if (key === null) throw refuseKey(path)("disappeared right after it was created");
      return await Promise.resolve(key);
    },
  };
}

/** Creates a provider of one key, which is tried alone. */
export function providerOf(key: MasterKey): MasterKeyProvider {
  return {
    search: async () =>
      await Promise.resolve({ ...emptySearch([key.source]), isGiven: true, first: key, keys: () => only(key) }),
    generate: async () => await Promise.reject(new AutokestraError("KEY_MISSING", "No other master key is made")),
  };
}

async function* only(key: MasterKey): AsyncGenerator<MasterKey> {
  yield await Promise.resolve(key);
}

/** A key that stays in the environment is inherited by every child process and printed in every crash report. */
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
    places: [`${KEY_VARIABLE} (${describeKind(first)})`],
    first,
    keys: () => only(first),
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

/** Searches a named file, and the keys that a rotation has prepared beside it. */
function searchFile(
  { path, label }: GivenFile,
  before: readonly string[],
  keyFolder: string | null,
  reading: ReadKeyOptions,
): KeySearch {
  const first = readMasterKey(path, keyFolder, reading);
  return {
    isGiven: true,
    places: [...before, `${label}: ${path} (${describeKind(first)})`],
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

/** Searches the key folder: the default key first, then files named after the wanted key, then all others. */
function searchFolder(keyFolder: string, before: readonly string[], reading: ReadKeyOptions): KeySearch {
  const path = defaultKeyFile(keyFolder);
  const first = readMasterKey(path, keyFolder, reading);
  const paths = keyPathsIn(keyFolder).filter((other) => other !== path);
  return {
    isGiven: false,
    get places() {
      const others = paths.filter((other) => tryReadMasterKey(other, keyFolder, reading) !== null).length;
      const found = others === 0 ? [] : [`${others} other key file${others === 1 ? "" : "s"} in ${keyFolder}`];
      return [...before, `${path} (${describeKind(first)})`, ...found];
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

function emptySearch(places: readonly string[]): KeySearch {
  return {
    isGiven: false,
    places,
    first: null,
    async *keys() {
      // There are no keys.
    },
    elsewhere: async () => await Promise.resolve(null),
  };
}

function describeKind(key: MasterKey | null): string {
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
