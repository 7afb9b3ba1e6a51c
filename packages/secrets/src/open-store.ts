import { lstatSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, makePrivateFolder, sweepDeadTemporaryFiles } from "@autokestra/private-files";
import {
  type AutokestraError,
  createMemoryStore,
  quotePath,
  type SecretStore,
  type SecretStoreFile,
  storeUnavailable,
} from "@autokestra/secrets-core";
import {
  type Driver,
  existingDriver,
  isThere,
  openStoreFile,
  otherDriver,
  parseDriver,
  readDriverRecord,
  recordOf,
  rememberDriver,
  STORE_FILES,
  storedDriver,
  toStoreError,
  writeDriverRecord,
} from "./drivers.ts";
import { type PlaceOptions, storeFolder } from "./folders.ts";
import { withTemporaryFolder } from "./replace-store.ts";

export interface StoreOptions extends PlaceOptions {
  /** Default: `WORKFLOW_SECRETS_STORAGE_BACKEND`, else `auto`: SQLite, or the file store where SQLite cannot be loaded or used. */
  readonly backend?: string | undefined;
  /**
   * Make a store where there is none, with the first secret that is written. Default true. A store that was not made reads as
   * empty.
   */
  readonly create?: boolean | undefined;
  /** Told what people should know: that a key was made or found elsewhere, that the file store stands in for SQLite. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface OpenedStore {
  readonly store: SecretStore;
  /** The folder it is in. */
  readonly folder: string;
  /** Null where there is none yet. */
  readonly backend: Driver | null;
}

/** A store that is there. */
export interface FoundStore {
  readonly folder: string;
  readonly backend: Driver;
  readonly store: SecretStoreFile;
  /** The file store was taken because SQLite cannot be used there. */
  readonly isFallback?: boolean;
}

/**
 * Opens the store of an installation. A store that was there and cannot be opened is an error: never an empty store, and never
 * a second one beside it. The folder remembers which one it has.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `OPTION_INVALID`
 */
export async function openStore(options: StoreOptions = {}): Promise<OpenedStore> {
  const { create = true } = options;
  const folder = storeFolder(options);
  const place = { ...options, storagePath: folder };
  const found = await findStore(place);
  if (found === null) {
    const store = create ? createDeferredStore(async () => (await makeStore(place)).store) : createMemoryStore();
    return { store, folder, backend: null };
  }
  if (create) await completeFolder(found);
  return found;
}

/**
 * Opens the store that is there; null where there never was one.
 *
 * @param kind `any`: the backend that is asked for only decides between two stores of which the folder remembers none
 * @throws as {@link openStore}; `STORE_CORRUPT` also where it is gone
 */
export async function findStore(options: StoreOptions, kind: "asked" | "any" = "asked"): Promise<FoundStore | null> {
  const folder = storeFolder(options);
  const asked = requestedDriver(options);
  const backend = existingDriver(folder, asked);
  if (backend === null) return null;
  if (kind === "asked" && asked !== "auto" && asked !== backend) {
    const problem = `its secrets are in a ${backend} store, not in a ${asked} store`;
    throw storeUnavailable(folder, problem, undefined, { reason: "another driver", driver: asked });
  }
  try {
    return { folder, backend, store: await openStoreFile(backend, join(folder, STORE_FILES[backend]), false) };
  } catch (error) {
    // Moved into the other kind of store at this very moment.
    if (storedDriver(folder) !== backend) return await findStore(options, kind);
    throw error;
  }
}

/** The backend that a person wants. @throws AutokestraError `OPTION_INVALID` */
export function requestedDriver({ env = process.env, backend }: StoreOptions): Driver | "auto" {
  const asked = backend ?? (env["WORKFLOW_SECRETS_STORAGE_BACKEND"] || "auto");
  return asked === "auto" ? asked : parseDriver(asked);
}

/**
 * Makes the store of a folder that has none.
 *
 * @throws as {@link openStore}
 */
export async function makeStore(options: StoreOptions): Promise<FoundStore> {
  const folder = storeFolder(options);
  const asked = requestedDriver(options);
  const made = await makeFile(folder, asked, options);
  await completeFolder(made);
  if (made.isFallback !== true) options.onNotice?.(`the secrets are kept in ${quotePath(folder)}`);
  return made;
}

async function makeFile(folder: string, asked: Driver | "auto", { onNotice }: StoreOptions): Promise<FoundStore> {
  const obstacle = asked === "auto" && !isThere(folder, "sqlite") ? await sqliteUnsuitableReason(folder) : null;
  const backend = asked !== "auto" ? asked : obstacle === null ? "sqlite" : "file";
  const path = join(folder, STORE_FILES[backend]);
  const store = await openStoreFile(backend, path, true);
  if (obstacle !== null) onNotice?.(`${obstacle}: secrets are kept in ${path}`);
  return { folder, backend, store, isFallback: obstacle !== null };
}

/** Why SQLite can keep no secrets in a folder, as a sentence; null where it can. */
async function sqliteUnsuitableReason(folder: string): Promise<string | null> {
  const { isSqliteMissing, unsuitableReason } = await import("@autokestra/sqlite");
  try {
    makePrivateFolder(folder);
    const reason = await withTemporaryFolder(
      folder,
      async (draft) => await unsuitableReason(join(draft, STORE_FILES.sqlite)),
    );
    return reason === null ? null : `SQLite cannot be used on this file system, as ${reason}`;
  } catch (error) {
    if (isSqliteMissing(error)) return "SQLite cannot be loaded here";
    throw toStoreError(error, folder);
  }
}

/**
 * What a folder of secrets has beside its store.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, also where another process has made another kind of store at the same moment; the
 * store is closed then
 */
async function completeFolder({ folder, backend, store, isFallback = false }: FoundStore): Promise<void> {
  try {
    if (lstatSync(join(folder, ".gitignore"), { throwIfNoEntry: false }) === undefined) {
      createPrivateFile(join(folder, ".gitignore"), "*\n");
    }
    sweepDeadTemporaryFiles(folder);
    const record = readDriverRecord(folder);
    if (record === null) rememberDriver(folder, { ...recordOf(backend), isFallback });
    // A migration was killed after its last moment: nothing is left to do but to say so.
    else if (record.next === backend) writeDriverRecord(folder, recordOf(backend));
    if (existingDriver(folder, "auto") !== backend) {
      throw storeUnavailable(folder, `another process has made a ${otherDriver(backend)} store here`, "Run it again.");
    }
  } catch (error) {
    await store.close();
    throw toStoreError(error, folder);
  }
}

/**
 * A store that reads as empty and is made when its header is written, which comes before everything else that is written. What
 * fails before leaves nothing behind.
 */
function createDeferredStore(make: () => Promise<SecretStore>): SecretStore {
  let store = createMemoryStore();
  let isMade = false;
  let closed = false;
  /** One at a time: two headers at once would make two stores. */
  let making: Promise<void> = Promise.resolve();

  async function makeOnce(): Promise<void> {
    if (isMade || closed) return;
    store = await make();
    isMade = true;
  }

  return {
    get backend() {
      return store.backend;
    },
    async writeHeader(...args) {
      making = making.then(makeOnce, makeOnce);
      await making;
      return await store.writeHeader(...args);
    },
    layout: () => store.layout(),
    upgrade: (...args) => store.upgrade(...args),
    readHeader: () => store.readHeader(),
    get: (name) => store.get(name),
    find: (id) => store.find(id),
    history: (id) => store.history(id),
    ids: (page) => store.ids(page),
    list: (filter) => store.list(filter),
    put: (...args) => store.put(...args),
    rewrite: (...args) => store.rewrite(...args),
    reencrypt: (...args) => store.reencrypt(...args),
    delete: (...args) => store.delete(...args),
    purge: (...ids) => store.purge(...ids),
    purgeDeleted: (before) => store.purgeDeleted(before),
    readAnchor: (name) => store.readAnchor(name),
    writeAnchor: (...args) => store.writeAnchor(...args),
    async close() {
      closed = true;
      await store.close();
    },
  };
}

/** The error where a store is needed that was made before. */
export function noStoreYet(folder: string): AutokestraError {
  return storeUnavailable(folder, "there is none yet", "It is made with the first secret.", { reason: "no store yet" });
}
