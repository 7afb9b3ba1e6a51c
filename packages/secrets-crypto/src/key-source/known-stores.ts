import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "@autokestra/secrets-core";
import type { RememberedStore, StoreMemory } from "../store-memory.ts";
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

const fingerprintSchema = z.string().regex(/^[0-9a-f]{16}$/);

const contentSchema: z.ZodType<Content> = z.object({
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
