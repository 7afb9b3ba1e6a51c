import { lstatSync } from "node:fs";
import { join } from "node:path";
import { createPrivateFile, makePrivateFolder, sweepDeadTemporaryFiles } from "@autokestra/private-files";
import { type AutokestraError, createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { quotePath, storeUnavailable } from "@autokestra/secrets-core/internal";
import {
  existingDriver,
  readDriverRecord,
  recordOf,
  rememberDriver,
  storedDriver,
  writeDriverRecord,
} from "./driver-record.ts";
import { type Driver, driverOfUrl, type FolderDriver, folderDrivers, parseDriver, toStoreError } from "./drivers.ts";
import { type LocationOptions, storeLocation } from "./folders.ts";
import { type Location, locationText } from "./location.ts";
import { withTemporaryFolder } from "./replace-store.ts";

export interface StoreOptions extends LocationOptions {
  /**
   * The driver of the store: `sqlite`, `file` or `auto`, which means SQLite, or the file store if SQLite cannot be
   * used. Default: `WORKFLOW_SECRETS_STORAGE_BACKEND`, else that of `defaults`, else `auto`.
   */
  readonly backend?: string | undefined;
  /**
   * Create a missing store together with its first secret. Until then, or if false, it reads as empty. Default: true.
   */
  readonly create?: boolean | undefined;
  /**
   * Called with what people should know: that a key was created, or that the file store is used instead of SQLite.
   * Default: nothing.
   */
  readonly onNotice?: ((text: string) => void) | undefined;
}

export interface OpenedStore {
  readonly store: SecretStore;
  readonly location: Location;
  /** The name of its driver, such as `sqlite`; null if there is no store yet. */
  readonly driver: string | null;
}

/** An existing store. */
export interface FoundStore {
  readonly location: Location;
  readonly driver: Driver;
  readonly store: SecretStore;
}

/** An existing store in a folder. */
export interface FolderStore {
  readonly folder: string;
  readonly driver: FolderDriver;
  readonly store: SecretStore;
  /** True if the preferred driver cannot be used there. */
  readonly isFallback?: boolean;
}

/**
 * Opens the store. If it existed and cannot be opened, that is an error: it never opens an empty store or a second one
 * instead. The folder records which driver it has.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, `STORE_CORRUPT`, `STORE_TOO_NEW`, `OPTION_INVALID`
 */
export async function openStore(options: StoreOptions = {}): Promise<OpenedStore> {
  const { create = true } = options;
  const location = storeLocation(options);
  if (location.kind === "url") {
    const found = await findAtUrl(location.url);
    if (found !== null) return { store: found.store, location, driver: found.driver.name };
    return {
      store: emptyStore(create, async () => await driverOfUrl(location.url).open(location.url, true)),
      location,
      driver: null,
    };
  }
  const found = await findInFolder(location.path, options);
  if (found === null) {
    return {
      store: emptyStore(create, async () => (await makeStore(location.path, options)).store),
      location,
      driver: null,
    };
  }
  if (create) await completeFolder(found);
  return { store: found.store, location, driver: found.driver.name };
}

function emptyStore(create: boolean, make: () => Promise<SecretStore>): SecretStore {
  return create ? createDeferredStore(make) : createMemoryStore();
}

/**
 * Opens the existing store; null if there never was one.
 *
 * @param kind `any`: ignore the requested driver, unless a folder has two stores and no record of which one counts
 * @throws as {@link openStore}; `STORE_CORRUPT` also if the store was removed
 */
export async function findStore(options: StoreOptions, kind: "asked" | "any" = "asked"): Promise<FoundStore | null> {
  const location = storeLocation(options);
  const found =
    location.kind === "url" ? await findAtUrl(location.url) : await findInFolder(location.path, options, kind);
  return found === null ? null : { location, driver: found.driver, store: found.store };
}

async function findAtUrl(url: URL): Promise<Pick<FoundStore, "driver" | "store"> | null> {
  const driver = driverOfUrl(url);
  return (await driver.exists(url)) ? { driver, store: await driver.open(url, false) } : null;
}

/**
 * Opens the existing store of a folder; null if there never was one.
 *
 * @throws as {@link findStore}
 */
export async function findInFolder(
  folder: string,
  options: StoreOptions,
  kind: "asked" | "any" = "asked",
): Promise<FolderStore | null> {
  const asked = requestedDriver(options);
  const driver = existingDriver(folder, asked);
  if (driver === null) return null;
  if (kind === "asked" && asked !== "auto" && asked !== driver) {
    const problem = `its secrets are in a ${driver.name} store, not in a ${asked.name} store`;
    throw storeUnavailable(folder, problem, undefined, { reason: "another driver", driver: asked.name });
  }
  try {
    return { folder, driver, store: await driver.open(join(folder, driver.file), false) };
  } catch (error) {
    // Another process has migrated it at this moment.
    if (storedDriver(folder) !== driver) return await findInFolder(folder, options, kind);
    throw error;
  }
}

/** Returns the driver that the person wants. @throws AutokestraError `OPTION_INVALID` */
export function requestedDriver({ env = process.env, backend, defaults }: StoreOptions): FolderDriver | "auto" {
  const asked = backend ?? (env["WORKFLOW_SECRETS_STORAGE_BACKEND"] || (defaults?.backend ?? "auto"));
  return asked === "auto" ? asked : parseDriver(asked);
}

/**
 * Creates the store of a folder that has none.
 *
 * @throws as {@link openStore}
 */
export async function makeStore(folder: string, options: StoreOptions): Promise<FolderStore> {
  const asked = requestedDriver(options);
  const { driver, unsuitable } = asked === "auto" ? await pickDriver(folder) : { driver: asked, unsuitable: null };
  const path = join(folder, driver.file);
  const made = { folder, driver, store: await driver.open(path, true), isFallback: unsuitable !== null };
  if (unsuitable !== null) options.onNotice?.(`${unsuitable}: secrets are kept in ${path}`);
  await completeFolder(made);
  if (!made.isFallback) options.onNotice?.(`the secrets are kept in ${quotePath(folder)}`);
  return made;
}

interface PickedDriver {
  readonly driver: FolderDriver;
  /** Why the preferred driver cannot be used; null if this is the preferred one. */
  readonly unsuitable: string | null;
}

/** Returns the first driver that can be used in a folder, or whose store another process has just made there. */
async function pickDriver(folder: string): Promise<PickedDriver> {
  const reasons: string[] = [];
  for (const driver of folderDrivers()) {
    const reason = driver.exists(folder) ? null : await unsuitableReason(driver, folder);
    if (reason === null) return { driver, unsuitable: reasons[0] ?? null };
    reasons.push(reason);
  }
  throw storeUnavailable(folder, reasons.join("; "));
}

async function unsuitableReason(driver: FolderDriver, folder: string): Promise<string | null> {
  if (driver.unsuitableReason === undefined) return null;
  try {
    makePrivateFolder(folder);
  } catch (error) {
    throw toStoreError(error, folder);
  }
  const ask = async (temporary: string) => (await driver.unsuitableReason?.(join(temporary, driver.file))) ?? null;
  return await withTemporaryFolder(folder, ask);
}

/**
 * Writes what a folder of secrets has besides its store: a `.gitignore` and the record of its driver.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE`, also if another process has made a store of another driver at the same
 * moment; the store is closed then
 */
async function completeFolder({ folder, driver, store, isFallback = false }: FolderStore): Promise<void> {
  try {
    if (lstatSync(join(folder, ".gitignore"), { throwIfNoEntry: false }) === undefined) {
      createPrivateFile(join(folder, ".gitignore"), "*\n");
    }
    sweepDeadTemporaryFiles(folder);
    const record = readDriverRecord(folder);
    if (record === null) rememberDriver(folder, { ...recordOf(driver), isFallback });
    // A migration was killed after the new store had replaced the old one. Only the record is left to write.
    else if (record.next === driver) writeDriverRecord(folder, recordOf(driver));
    const existing = existingDriver(folder, "auto");
    if (existing !== null && existing !== driver) {
      throw storeUnavailable(folder, `another process has made a ${existing.name} store here`, "Run it again.");
    }
  } catch (error) {
    await store.close();
    throw toStoreError(error, folder);
  }
}

/**
 * Creates a store that reads as empty and is made on disk when its header is written, which is always the first write.
 * A command that fails before leaves no store behind.
 */
function createDeferredStore(make: () => Promise<SecretStore>): SecretStore {
  let store = createMemoryStore();
  let isMade = false;
  let closed = false;
  /** Serialises the writes of headers: two at once would make two stores. */
  let making: Promise<void> = Promise.resolve();

  async function makeOnce(): Promise<void> {
    if (isMade || closed) return;
    store = await make();
    isMade = true;
  }

  return {
    get driver() {
      return store.driver;
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
    versions: (id) => store.versions(id),
    ids: (page) => store.ids(page),
    list: (filter) => store.list(filter),
    count: (filter) => store.count(filter),
    put: (...args) => store.put(...args),
    rewrite: (...args) => store.rewrite(...args),
    reencrypt: (...args) => store.reencrypt(...args),
    delete: (...args) => store.delete(...args),
    purge: (...ids) => store.purge(...ids),
    purgeDeleted: (before) => store.purgeDeleted(before),
    readAnchor: (name) => store.readAnchor(name),
    anchors: () => store.anchors(),
    writeAnchor: (...args) => store.writeAnchor(...args),
    async close() {
      closed = true;
      await store.close();
    },
  };
}

/** A function that needs an existing store throws it. */
export function noStoreYet(location: Location): AutokestraError {
  return storeUnavailable(locationText(location), "there is none yet", "It is made with the first secret.", {
    reason: "no store yet",
  });
}
