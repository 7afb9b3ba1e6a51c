import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { isTimestamp, isUuid, z } from "@autokestra/secrets-core";
import { FINGERPRINT, hasKeys, isFingerprint, isListOf, isWholeNumber } from "../plain-json.ts";
import { readPrivateJson, sweepBeside, updatePrivateJson } from "./private-json.ts";

/** The most that are kept of each kind: the oldest go. */
const MAX_ENTRIES = 1000;
const MAX_LEFT = 100;

const DAY = 24 * 60 * 60 * 1000;

/** A store of this machine, as it was last written. */
export interface KnownStore extends RememberedStore {
  readonly path: string;
}

/** A backup that was made on this machine. */
export interface KnownBackup {
  readonly path: string;
  /** Of the master key that opens it. */
  readonly fingerprint: string;
  /** ISO 8601 UTC. */
  readonly madeAt: string;
}

/** The stores that the keys of this machine serve. It authorises nothing, and is best effort: no method throws. */
export interface KnownStores {
  /** Remembers the store at this path. */
  memoryOf(storePath: string): StoreMemory;
  list(): readonly KnownStore[];
  backups(): readonly KnownBackup[];
  recordBackup(backup: KnownBackup): Promise<void>;
  /** The store at this path is no longer opened with this key, unless it is given. */
  recordLeft(storePath: string, fingerprint: string): Promise<void>;
  /** What is wrong with the list, such as `/home/u/.autokestra/stores.json can be read by others`; null where nothing is. */
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

/** Reads what is plainly right as it is: every opening of a store reads it, and the schema takes longer to build. */
const contentSchema = {
  parse: (json: unknown): Content => (isPlainContent(json) ? json : knownStoresSchema.parse(json)),
};

/** True for nothing that the schema refuses or changes. */
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
 * Opens the list of stores in the key folder.
 *
 * @param keyFolder null where there is none: nothing is remembered then
 */
export function openKnownStores(keyFolder: string | null): KnownStores {
  const file = keyFolder === null ? null : join(keyFolder, "stores.json");
  const read = () => (file === null ? { content: EMPTY, problem: null } : readPrivateJson(file, contentSchema, EMPTY));
  const update = async (change: (content: Content) => Content | null) => {
    if (file !== null) await updatePrivateJson(file, contentSchema, EMPTY, change);
  };
  const find = (stores: readonly KnownStore[], path: string) => stores.find((store) => store.path === path) ?? null;

  return {
    memoryOf(storePath) {
      const path = realPath(storePath);
      return {
        recall: async () => await Promise.resolve(find(read().content.stores, path)),
        async forget() {
          if (find(read().content.stores, path) === null) return;
          await update(({ stores, backups }) => ({ stores: stores.filter((store) => store.path !== path), backups }));
        },
        async remember(store) {
          if (file !== null) sweepBeside(file);
          const before = find(read().content.stores, path);
          // Most writes change nothing of it: they need not wait for the lock.
          if (before !== null && isUpToDate(before, store)) return;
          await update(({ stores, backups }) => {
            const next = {
              path,
              ...store,
              left: leftBy(find(stores, path), store),
              openedAt: new Date().toISOString(),
            };
            return { stores: newest([...stores.filter((other) => other.path !== path), next]), backups };
          });
        },
      };
    },
    list: () => read().content.stores,
    backups: () => read().content.backups,
    async recordBackup({ path: name, fingerprint, madeAt }) {
      const path = realPath(name);
      await update(({ stores, backups }) => ({
        stores,
        backups: newest([...backups.filter((other) => other.path !== path), { path, fingerprint, madeAt }]),
      }));
    },
    async recordLeft(storePath, fingerprint) {
      const path = realPath(storePath);
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

type StoreState = Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">;

function isUpToDate(before: KnownStore, { storeId, epoch, fingerprint }: StoreState): boolean {
  const isSame = before.storeId === storeId && before.epoch === epoch && before.fingerprint === fingerprint;
  return isSame && Math.abs(Date.now() - Date.parse(before.openedAt)) < DAY;
}

/** A key that a rotation has left no longer opens the store, unless it is given; then it is the store's again. */
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

/** The same for every way to a place, also before it is there. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    return absolute === dirname(absolute) ? absolute : join(realPath(dirname(absolute)), basename(absolute));
  }
}

/** What this machine knows of the store at one path. It authorises nothing: it only tells when an older state was put back. */
export interface RememberedStore {
  /** UUID of the store that was last written to at this path. */
  readonly storeId: string;
  /** The epoch that its header had then. */
  readonly epoch: number;
  /** The fingerprint of the master key that it had then. */
  readonly fingerprint: string;
  /** Fingerprints of master keys that this store had before, and was rotated away from. */
  readonly left: readonly string[];
  /** When the path was last opened, ISO 8601 UTC. */
  readonly openedAt: string;
}

/** Remembers the store at one path. */
export interface StoreMemory {
  /** Null where nothing is known of the path. Never throws: what cannot be read is not known. */
  recall(): Promise<RememberedStore | null>;
  /**
   * Called before the path gets the header of another store, or a header from a backup: whoever looks at it before `remember` was
   * called, also after a crash in between, must not take it for one that somebody has put back. Best effort: never throws.
   */
  forget(): Promise<void>;
  /** Called after a header was written, never by a read. Best effort: never throws. */
  remember(store: Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">): Promise<void>;
}
