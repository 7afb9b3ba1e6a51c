import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { fingerprintOf } from "../key-derivation.ts";
import { createKeyFile } from "./key-file.ts";
import { defaultKeyFile, keyPathsIn, preparedPaths, readMasterKey, tryReadMasterKey } from "./key-folder.ts";
import { type KnownBackup, type KnownStore, openKnownStores } from "./known-stores.ts";
import { fingerprintOfKey } from "./master-key.ts";
import {
  createMasterKeyProvider,
  KEY_VARIABLE,
  keyFilePath,
  keyFolderOf,
  type MasterKeyOptions,
} from "./master-key-provider.ts";

/** The stores and backups that are known to use a key. Copies elsewhere are unknown. */
interface KeyUse {
  /** The stores that the key opens (`uses`), and those that were rotated to another key (`left`). */
  readonly stores: readonly { readonly path: string; readonly state: "uses" | "left" }[];
  readonly backups: readonly Pick<KnownBackup, "path" | "madeAt">[];
}

/** A key on this machine. */
export interface ListedKey extends KeyUse {
  /** Null for a passphrase with which no store was created on this machine. */
  readonly fingerprint: string | null;
  readonly kind: MasterKey["kind"];
  /** Where it is: files, or `AUTOKESTRA_SECRET_KEY`. */
  readonly paths: readonly string[];
  /** It is used if no other key is named. */
  readonly isDefault: boolean;
  /** A rotation has prepared it and did not finish. */
  readonly isPending: boolean;
}

/** A key that known stores or backups need and that was not found. */
export interface MissingKey extends KeyUse {
  readonly fingerprint: string;
}

export interface KeyList {
  readonly keys: readonly ListedKey[];
  readonly missing: readonly MissingKey[];
}

interface FoundKey {
  readonly key: MasterKey;
  readonly path: string;
  readonly fingerprint: string | null;
}

/**
 * Lists the named key, the keys in the key folder and prepared keys, with the known stores and backups that use them.
 */
export async function listKeys(options: MasterKeyOptions = {}): Promise<KeyList> {
  const keyFolder = keyFolderOf(options);
  const found = new Map<string, FoundKey[]>();
  for (const entry of await findKeys(options)) {
    // Passphrases without a fingerprint are different keys.
    const name = entry.fingerprint ?? entry.path;
    found.set(name, [...(found.get(name) ?? []), entry]);
  }
  const uses = knownUses(keyFolder);
  const keys = [...found.values()].map((same) => describeKey(same, keyFolder, uses));
  const missing = [...uses].filter(([fingerprint]) => !found.has(fingerprint));
  return { keys, missing: missing.map(([fingerprint, use]) => ({ fingerprint, ...use })) };
}

function describeKey(
  same: readonly FoundKey[],
  keyFolder: string | null,
  uses: ReadonlyMap<string, KeyUse>,
): ListedKey {
  const paths = same.map(({ path }) => path);
  const fingerprint = same[0]?.fingerprint ?? null;
  return {
    fingerprint,
    kind: same[0]?.key.kind ?? "bytes",
    paths,
    isDefault: keyFolder !== null && paths.includes(defaultKeyFile(keyFolder)),
    isPending: paths.every((path) => path.endsWith(".new")),
    ...(uses.get(fingerprint ?? "") ?? { stores: [], backups: [] }),
  };
}

/** Returns all readable keys, one entry for each place. A named key must be readable. */
async function findKeys(options: MasterKeyOptions): Promise<readonly FoundKey[]> {
  const keyFolder = keyFolderOf(options);
  const { first } = await createMasterKeyProvider(options).search();
  const file = keyFilePath(options);
  const beside = file === null ? [] : [file, ...preparedPaths(file).map(({ path }) => path)];
  const paths = new Set([...beside, ...(keyFolder === null ? [] : keyPathsIn(keyFolder))]);
  const found: FoundKey[] = [];
  if (first?.source === KEY_VARIABLE) found.push(await toFoundKey(first, keyFolder));
  for (const path of paths) {
    const key = tryReadMasterKey(path, keyFolder);
    if (key !== null) found.push(await toFoundKey(key, keyFolder));
  }
  return found;
}

async function toFoundKey(key: MasterKey, keyFolder: string | null): Promise<FoundKey> {
  return { key, path: key.source, fingerprint: await fingerprintOfKey(key, keyFolder) };
}

function knownUses(keyFolder: string | null): ReadonlyMap<string, KeyUse> {
  const known = openKnownStores(keyFolder);
  const stores = known.list();
  const backups = known.backups();
  const fingerprints = stores.flatMap(({ fingerprint, left }) => [fingerprint, ...left]);
  const all = new Set([...fingerprints, ...backups.map(({ fingerprint }) => fingerprint)]);
  return new Map([...all].map((fingerprint) => [fingerprint, useOf(fingerprint, stores, backups)]));
}

function useOf(wanted: string, stores: readonly KnownStore[], backups: readonly KnownBackup[]): KeyUse {
  const uses = stores.filter(({ fingerprint }) => fingerprint === wanted);
  const left = stores.filter((store) => store.left.includes(wanted) && !uses.includes(store));
  return {
    stores: [
      ...uses.map(({ path }) => ({ path, state: "uses" as const })),
      ...left.map(({ path }) => ({ path, state: "left" as const })),
    ],
    backups: backups.filter(({ fingerprint }) => fingerprint === wanted).map(({ path, madeAt }) => ({ path, madeAt })),
  };
}

/**
 * Writes one key of this machine to a new file, as 64 hex characters.
 *
 * @throws AutokestraError `KEY_MISSING` if the key is not on this machine; `OPTION_INVALID` if the file exists or the
 * key is a passphrase; `KEY_UNREADABLE`, `KEY_UNAVAILABLE`
 */
export async function exportKey(options: MasterKeyOptions, fingerprint: string, target: string): Promise<void> {
  const found = (await findKeys(options)).find((entry) => entry.fingerprint === fingerprint);
  if (found === undefined) throw new AutokestraError("KEY_MISSING", `There is no key ${fingerprint} here`);
  const bytes = await found.key.bytes(null);
  if (bytes === null)
    throw new AutokestraError("OPTION_INVALID", `The key ${fingerprint} is a passphrase: there is no key to export`);
  const isCreated = createKeyFile(target, bytes);
  bytes.fill(0);
  if (!isCreated)
    throw new AutokestraError("OPTION_INVALID", `${target} already exists`, {
      hint: "Give the path of a new file.",
    });
}

export interface ImportedKey {
  readonly fingerprint: string;
  /** Where the key is now. */
  readonly path: string;
  /** False if the key was already in the key folder, and nothing was changed. */
  readonly isNew: boolean;
}

/**
 * Copies the key in a file into the key folder, beside the default key, where stores that need it find it.
 *
 * @throws AutokestraError `OPTION_INVALID` if the file or the key folder does not exist; `KEY_INVALID` for a
 * passphrase; `KEY_UNREADABLE`, `KEY_UNAVAILABLE`
 */
export async function importKey(options: MasterKeyOptions, file: string): Promise<ImportedKey> {
  const keyFolder = keyFolderOf(options);
  if (keyFolder === null) throw new AutokestraError("OPTION_INVALID", "There is no key folder");
  const key = readMasterKey(file, keyFolder, options);
  if (key === null) throw new AutokestraError("OPTION_INVALID", `There is no file ${file}`);
  const bytes = await key.bytes(null);
  if (bytes === null)
    throw new AutokestraError("KEY_INVALID", `The key file ${file} contains a passphrase and not a key of 32 bytes`);
  const fingerprint = fingerprintOf(bytes);
  try {
    const before = await findInFolder(keyFolder, fingerprint);
    if (before !== null) return { fingerprint, path: before, isNew: false };
    for (let count = 1; ; count++) {
      const path = `${defaultKeyFile(keyFolder)}.${fingerprint}${count === 1 ? "" : `-${count}`}`;
      if (createKeyFile(path, bytes)) return { fingerprint, path, isNew: true };
    }
  } finally {
    bytes.fill(0);
  }
}

/** Ignores prepared keys: they will be moved, but an imported key must stay. */
async function findInFolder(keyFolder: string, fingerprint: string): Promise<string | null> {
  for (const path of keyPathsIn(keyFolder).filter((name) => !name.endsWith(".new"))) {
    const key = tryReadMasterKey(path, keyFolder);
    if (key?.kind === "bytes" && (await toFoundKey(key, keyFolder)).fingerprint === fingerprint) return path;
  }
  return null;
}
