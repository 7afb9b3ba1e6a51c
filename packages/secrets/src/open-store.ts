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
   * Create a missing store together with its first secret. If false, writing is refused until another process has made it. Until there is
   * one, it reads as empty. Default: true.
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
  const { find, make } =
    location.kind === "url" ? storeAtUrl(location.url) : storeInFolder(location.path, options, create);
  const found = await find();
  if (found !== null) return { store: found.store, location, driver: found.driver.name };
  const refuse = async () => await Promise.reject(noStoreYet(location));
  const store = createDeferredStore(async () => (await find())?.store ?? null, create ? make : refuse);
  return { store, location, driver: null };
}

/** How the store of a place is opened, null if there is none, and how it is made. */
interface StorePlace {
  readonly find: () => Promise<Pick<FoundStore, "driver" | "store"> | null>;
  readonly make: () => Promise<SecretStore>;
}

function storeAtUrl(url: URL): StorePlace {
  return { find: () => findAtUrl(url), make: () => driverOfUrl(url).open(url, true) };
}

function storeInFolder(folder: string, options: StoreOptions, create: boolean): StorePlace {
  return {
    async find() {
      const found = await findInFolder(folder, options);
      if (found !== null && create) await completeFolder(found);
      return found;
    },
    make: async () => (await makeStore(folder, options)).store,
  };
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
  if (unsuitable !== null) options.onNotice?.(`${unsuitable}: secrets are stored in ${path}`);
  await completeFolder(made);
  if (!made.isFallback) options.onNotice?.(`the secrets are stored in ${quotePath(folder)}`);
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
 * Creates a store that reads as empty until there is one on disk: another process has made it, or its header is written here, which is
 * always the first write. A command that fails before leaves no store behind.
 */
function createDeferredStore(find: () => Promise<SecretStore | null>, make: () => Promise<SecretStore>): SecretStore {
  let store = createMemoryStore();
  let isFound = false;
  let closed = false;
  /** Serialises what opens a store: two at once would open two. */
  let opening: Promise<void> = Promise.resolve();

  function openOnce(open: () => Promise<SecretStore | null>): Promise<void> {
    const work = async () => {
      const found = isFound || closed ? null : await open();
      if (found === null) return;
      store = found;
      isFound = true;
    };
    opening = opening.then(work, work);
    return opening;
  }

  /** Once there is a store, it costs a call nothing that it was deferred. */
  function use<T>(
    work: (store: SecretStore) => Promise<T>,
    open: () => Promise<SecretStore | null> = find,
  ): Promise<T> {
    return isFound || closed ? work(store) : openOnce(open).then(() => work(store));
  }

  return {
    get driver() {
      return store.driver;
    },
    writeHeader: (...args) => use((now) => now.writeHeader(...args), make),
    layout: () => use((now) => now.layout()),
    upgrade: (...args) => use((now) => now.upgrade(...args)),
    readHeader: () => use((now) => now.readHeader()),
    get: (name) => use((now) => now.get(name)),
    find: (id) => use((now) => now.find(id)),
    versions: (id) => use((now) => now.versions(id)),
    ids: (page) => use((now) => now.ids(page)),
    list: (filter) => use((now) => now.list(filter)),
    count: (filter) => use((now) => now.count(filter)),
    put: (...args) => use((now) => now.put(...args)),
    rewrite: (...args) => use((now) => now.rewrite(...args)),
    reencrypt: (...args) => use((now) => now.reencrypt(...args)),
    delete: (...args) => use((now) => now.delete(...args)),
    purge: (...ids) => use((now) => now.purge(...ids)),
    purgeDeleted: (before) => use((now) => now.purgeDeleted(before)),
    readAnchor: (name) => use((now) => now.readAnchor(name)),
    anchors: () => use((now) => now.anchors()),
    writeAnchor: (...args) => use((now) => now.writeAnchor(...args)),
    async close() {
      closed = true;
      await opening.catch(() => undefined);
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
