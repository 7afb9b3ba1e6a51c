import { join } from "node:path";
import { realPath } from "@autokestra/private-files";
import { isTimestamp, isUuid, z } from "@autokestra/secrets-core/internal";
import { FINGERPRINT, hasKeys, isFingerprint, isListOf, isWholeNumber } from "../plain-json.ts";
import { readPrivateJson, sweepBeside, updatePrivateJson } from "./private-json.ts";

/** The maximum number of entries of each kind. The oldest are removed. */
const MAX_ENTRIES = 1000;
const MAX_LEFT = 100;

const DAY = 24 * 60 * 60 * 1000;

/** A store on this machine, in the state in which it was last written. */
export interface KnownStore extends RememberedStore {
  readonly path: string;
}

/** A backup that was created on this machine. */
export interface KnownBackup {
  readonly path: string;
  /** The fingerprint of the master key that opens it. */
  readonly fingerprint: string;
  /** ISO 8601 UTC. */
  readonly madeAt: string;
}

/**
 * The stores and backups that use the keys of this machine. The list authorises nothing. Best effort: no method throws.
 */
export interface KnownStores {
  /** Returns the memory of the store at this path. */
  memoryOf(storePath: string): StoreMemory;
  list(): readonly KnownStore[];
  backups(): readonly KnownBackup[];
  recordBackup(backup: KnownBackup): Promise<void>;
  /** Removes backups that no longer exist from the list. */
  forgetBackups(paths: readonly string[]): Promise<void>;
  /** Records that the store at this path is no longer opened with this key, unless the user names it. */
  recordLeft(storePath: string, fingerprint: string): Promise<void>;
  /**
   * What is wrong with the list, such as `/home/u/.autokestra/stores.json can be read by others`; null if nothing is.
   */
  problem(): string | null;
}

interface Content {
  readonly stores: readonly KnownStore[];
  readonly backups: readonly KnownBackup[];
}

const fingerprintSchema = z.string().regex(FINGERPRINT);

export const knownStoresSchema: z.ZodType<Content> = z.object({
  stores: z.array(
    z.object({
      path: z.string(),
      storeId: z.uuid(),
      epoch: z.int().nonnegative(),
      fingerprint: fingerprintSchema,
      left: z.array(fingerprintSchema),
      openedAt: z.iso.datetime(),
    }),
  ),
  backups: z.array(z.object({ path: z.string(), fingerprint: fingerprintSchema, madeAt: z.iso.datetime() })),
});

/** Avoids the schema for plainly valid content: every opening of a store reads it, and the schema is slow to build. */
const contentSchema = {
  parse: (json: unknown): Content => (isPlainContent(json) ? json : knownStoresSchema.parse(json)),
};

/** Accepts nothing that the schema rejects or changes. */
export function isPlainContent(json: unknown): json is Content {
  return (
    hasKeys(json, ["stores", "backups"]) && isListOf(json.stores, isPlainStore) && isListOf(json.backups, isPlainBackup)
  );
}

function isPlainStore(json: unknown): json is KnownStore {
  return (
    hasKeys(json, ["path", "storeId", "epoch", "fingerprint", "left", "openedAt"]) &&
    typeof json.path === "string" &&
    isUuid(json.storeId) &&
    isWholeNumber(json.epoch, 0) &&
    isFingerprint(json.fingerprint) &&
    isListOf(json.left, isFingerprint) &&
    isTimestamp(json.openedAt)
  );
}

function isPlainBackup(json: unknown): json is KnownBackup {
  return (
    hasKeys(json, ["path", "fingerprint", "madeAt"]) &&
    typeof json.path === "string" &&
    isFingerprint(json.fingerprint) &&
    isTimestamp(json.madeAt)
  );
}

const EMPTY: Content = { stores: [], backups: [] };

/**
 * Opens `stores.json` in the key folder: the list of the stores and backups that use its keys.
 *
 * @param keyFolder null if there is none; then nothing is remembered
 */
export function openKnownStores(keyFolder: string | null): KnownStores {
  const file = keyFolder === null ? null : join(keyFolder, "stores.json");
  const read = () => (file === null ? { content: EMPTY, problem: null } : readPrivateJson(file, contentSchema, EMPTY));
  const update = async (change: (content: Content) => Content | null) => {
    if (file !== null) await updatePrivateJson(file, contentSchema, EMPTY, change);
  };

  return {
    memoryOf(storePath) {
      const path = placeOf(storePath);
      return {
        recall: async () => await Promise.resolve(find(read().content.stores, path)),
        async forget() {
          if (find(read().content.stores, path) === null) return;
          await update(({ stores, backups }) => ({ stores: stores.filter((store) => store.path !== path), backups }));
        },
        async remember(store) {
          if (file !== null) sweepBeside(file);
          // Most writes change nothing here and need not wait for the lock.
          const before = find(read().content.stores, path);
          if (before === null || !isUpToDate(before, store)) await update((content) => withStore(content, path, store));
        },
      };
    },
    list: () => read().content.stores,
    backups: () => read().content.backups,
    async recordBackup({ path: name, fingerprint, madeAt }) {
      const path = placeOf(name);
      await update(({ stores, backups }) => ({
        stores,
        backups: newest([...backups.filter((other) => other.path !== path), { path, fingerprint, madeAt }]),
      }));
    },
    async forgetBackups(names) {
      const paths = names.map(placeOf);
      if (!read().content.backups.some(({ path }) => paths.includes(path))) return;
      await update(({ stores, backups }) => ({
        stores,
        backups: backups.filter(({ path }) => !paths.includes(path)),
      }));
    },
    async recordLeft(storePath, fingerprint) {
      const path = placeOf(storePath);
      await update(({ stores, backups }) => ({
        stores: stores.map((store) =>
          store.path === path ? { ...store, left: withLeft(store.left, fingerprint) } : store,
        ),
        backups,
      }));
    },
    problem() {
      const { problem } = read();
      return problem === null || file === null ? null : `${file} ${problem}`;
    },
  };
}

function find(stores: readonly KnownStore[], path: string): KnownStore | null {
  return stores.find((store) => store.path === path) ?? null;
}

/** Returns the list after the store at a path was written. */
function withStore({ stores, backups }: Content, path: string, store: StoreState): Content {
  const left = leftBy(find(stores, path), store);
  const written = { path, ...store, left, openedAt: new Date().toISOString() };
  return { stores: newest([...stores.filter((other) => other.path !== path), written]), backups };
}

type StoreState = Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">;

function isUpToDate(before: KnownStore, { storeId, epoch, fingerprint }: StoreState): boolean {
  const isSame = before.storeId === storeId && before.epoch === epoch && before.fingerprint === fingerprint;
  return isSame && Math.abs(Date.now() - Date.parse(before.openedAt)) < DAY;
}

/** A rotation adds the previous key to `left`. A key that the store uses again is removed from it. */
function leftBy(before: KnownStore | null, { storeId, epoch, fingerprint }: StoreState): readonly string[] {
  if (before === null || before.storeId !== storeId) return [];
  const isRotated = before.fingerprint !== fingerprint && epoch > before.epoch;
  const left = isRotated ? withLeft(before.left, before.fingerprint) : before.left;
  return left.filter((other) => other !== fingerprint);
}

function withLeft(left: readonly string[], fingerprint: string): readonly string[] {
  return [...left.filter((other) => other !== fingerprint), fingerprint].slice(-MAX_LEFT);
}

function newest<T>(entries: readonly T[]): readonly T[] {
  return entries.slice(-MAX_ENTRIES);
}

const URL_START = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//;

/** A store can be at a URL, too: that one stays as it is. */
function placeOf(path: string): string {
  return URL_START.test(path) ? path : realPath(path);
}

/** What is remembered of the store at one path. It authorises nothing: it reveals an older state that was put back. */
export interface RememberedStore {
  /** The UUID of the store that was last written at this path. */
  readonly storeId: string;
  /** The epoch of its header at that time. */
  readonly epoch: number;
  /** The fingerprint of its master key at that time. */
  readonly fingerprint: string;
  /** The fingerprints of previous master keys of this store. */
  readonly left: readonly string[];
  /** When the path was last opened, ISO 8601 UTC. */
  readonly openedAt: string;
}

/** Remembers the store at one path. */
export interface StoreMemory {
  /** Returns null if nothing is known of the path or the list cannot be read. Never throws. */
  recall(): Promise<RememberedStore | null>;
  /**
   * Forgets the path. Call it before the path gets the header of another store or of a backup. Until `remember` is
   * called, also after a crash in between, nobody then takes that header for one that somebody has put back. Best
   * effort: never throws.
   */
  forget(): Promise<void>;
  /** Remembers a header. Call it after a header was written, never after reading one. Best effort: never throws. */
  remember(store: Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">): Promise<void>;
}
