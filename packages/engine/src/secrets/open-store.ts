import { lstatSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  AutokestraError,
  createMemoryStore,
  errorCode,
  quotePath,
  type SecretStore,
  type SecretStoreFile,
  storeUnavailable,
} from "@autokestra/secrets-core";
import { createPrivateFile, systemReason } from "@autokestra/secrets-files";
import { readBackendRecord, rememberBackend } from "./backend-record.ts";
import { type Backend, openStoreFile, otherBackend, parseBackend, STORE_FILES } from "./store-backend.ts";

export interface StoreOptions {
  /** Where `WORKFLOW_SECRETS_STORAGE_*` and the key are looked for. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The folder. Default: `WORKFLOW_SECRETS_STORAGE_PATH`, else `.workflow/secrets` in the working directory. */
  readonly storagePath?: string | undefined;
  /** Default: `WORKFLOW_SECRETS_STORAGE_BACKEND`, else `auto`: SQLite, or the file store where SQLite cannot be loaded. */
  readonly backend?: string | undefined;
  /** Make a store where there is none. Default true; without it, an absent store reads as empty and nothing is created. */
  readonly create?: boolean | undefined;
  /** Told what people should know: that a master key was made, that the file store stands in for SQLite. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface OpenedStore {
  readonly store: SecretStore;
  /** The folder it is in. */
  readonly folder: string;
}

/** A store that is there. */
export interface FoundStore {
  readonly folder: string;
  readonly backend: Backend;
  readonly store: SecretStoreFile;
}

/**
 * Opens the store of an installation. A store that was there and cannot be opened is an error: never an empty store, and never
 * a second one beside it. The folder remembers which one it has.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `USAGE`
 */
export async function openStore(options: StoreOptions = {}): Promise<OpenedStore> {
  const { create = true } = options;
  const folder = storeFolder(options);
  const found = await findStore(options);
  if (found === null && !create) return { store: createMemoryStore(), folder };
  const { store, ...made } = found ?? (await makeStore(folder, askedBackend(options), options.onNotice));
  if (!create) return { store, folder };
  try {
    furnish(folder, made);
    return { store, folder };
  } catch (error) {
    await store.close();
    throw toStoreError(error, folder);
  }
}

/**
 * Opens the store that is there; null where there never was one.
 *
 * @throws as {@link openStore}; `STORE_CORRUPT` also where it is gone
 */
export async function findStore(options: StoreOptions): Promise<FoundStore | null> {
  const folder = storeFolder(options);
  const asked = askedBackend(options);
  const backend = existingBackend(folder, asked);
  if (backend === null) return null;
  if (asked !== "auto" && asked !== backend) {
    const problem = `its secrets are in a ${backend} store, not in a ${asked} store`;
    throw storeUnavailable(folder, problem, `\`autokestra secrets migrate --to ${asked}\` moves them.`);
  }
  try {
    return { folder, backend, store: await openStoreFile(backend, join(folder, STORE_FILES[backend]), false) };
  } catch (error) {
    // Moved into the other kind of store at this very moment.
    if (storedBackend(folder) !== backend) return await findStore(options);
    throw error;
  }
}

/** The folder of an installation, absolute. */
export function storeFolder({ env = process.env, storagePath }: StoreOptions): string {
  return resolve(storagePath ?? (env["WORKFLOW_SECRETS_STORAGE_PATH"] || join(".workflow", "secrets")));
}

function askedBackend({ env = process.env, backend }: StoreOptions): Backend | "auto" {
  const asked = backend ?? (env["WORKFLOW_SECRETS_STORAGE_BACKEND"] || "auto");
  return asked === "auto" ? asked : parseBackend(asked);
}

/** The backend of the store that a folder has or had, be it damaged; null where there never was one. */
export function storedBackend(folder: string): Backend | null {
  const record = readBackendRecord(folder);
  if (record !== null) return record.next !== null && !isThere(folder, record.backend) ? record.next : record.backend;
  return isThere(folder, "sqlite") ? "sqlite" : isThere(folder, "file") ? "file" : null;
}

/** The same, of a store that is there. */
function existingBackend(folder: string, asked: Backend | "auto"): Backend | null {
  const stored = storedBackend(folder);
  if (stored === null) return null;
  if (!isThere(folder, stored)) {
    const message = `The secrets in ${quotePath(folder)} are gone: there is no ${STORE_FILES[stored]}`;
    throw new AutokestraError("STORE_CORRUPT", message, {
      hint: "`autokestra secrets restore-backup FILE` puts a backup in its place. To begin anew, remove the file `backend` there.",
    });
  }
  if (readBackendRecord(folder) !== null || !isThere(folder, otherBackend(stored))) return stored;
  if (asked !== "auto") return asked;
  const hint = "Say which one with --storage-backend sqlite or file, or move the other one away.";
  throw storeUnavailable(folder, "there are two stores: secrets.db and secrets.json", hint);
}

/** What the folder is to remember of its store. */
interface MadeStore {
  readonly backend: Backend;
  /** The file store was taken because SQLite could not be loaded. */
  readonly standsIn?: boolean;
}

async function makeStore(
  folder: string,
  asked: Backend | "auto",
  onNotice: StoreOptions["onNotice"],
): Promise<MadeStore & { store: SecretStoreFile }> {
  const backend = asked === "auto" ? "sqlite" : asked;
  try {
    return { backend, store: await openStoreFile(backend, join(folder, STORE_FILES[backend]), true) };
  } catch (error) {
    if (asked !== "auto" || !(await isSqliteMissing(error)) || isThere(folder, "sqlite")) throw error;
    const path = join(folder, STORE_FILES.file);
    const store = await openStoreFile("file", path, true);
    onNotice?.(`SQLite cannot be loaded here: secrets are kept in ${path}`);
    return { backend: "file", store, standsIn: true };
  }
}

async function isSqliteMissing(error: unknown): Promise<boolean> {
  const sqlite = await import("@autokestra/secrets-store-sqlite");
  return sqlite.isSqliteMissing(error);
}

/**
 * What a folder of secrets has beside its store.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where another process has made another kind of store at the same moment
 */
function furnish(folder: string, { backend, standsIn = false }: MadeStore): void {
  if (lstatSync(join(folder, ".gitignore"), { throwIfNoEntry: false }) === undefined) {
    createPrivateFile(join(folder, ".gitignore"), "*\n");
  }
  if (readBackendRecord(folder) === null) rememberBackend(folder, backend, standsIn);
  const remembered = existingBackend(folder, "auto");
  if (remembered === backend) return;
  throw storeUnavailable(folder, `another process has made a ${otherBackend(backend)} store here`, "Run it again.");
}

/** The error to throw for one of the file system: place and reason. An AutokestraError stays as it is. */
export function toStoreError(error: unknown, folder: string): unknown {
  const reason = systemReason(error);
  return reason === null ? error : storeUnavailable(folder, `${reason} (${errorCode(error)})`);
}

/**
 * Whether the file of a store has this name, be it a link that leads nowhere. A WAL without its database is what is left of one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where that cannot be seen: it must not count as "nothing there"
 */
function isThere(folder: string, backend: Backend): boolean {
  const names = backend === "sqlite" ? [STORE_FILES.sqlite, `${STORE_FILES.sqlite}-wal`] : [STORE_FILES.file];
  try {
    return names.some((name) => lstatSync(join(folder, name), { throwIfNoEntry: false }) !== undefined);
  } catch (error) {
    if (errorCode(error) === "ENOTDIR") return false;
    throw new AutokestraError(
      "STORE_UNAVAILABLE",
      `The secret store ${folder} cannot be looked at (${errorCode(error) || "unknown error"})`,
    );
  }
}
