import {
  A,
  type FileStore,
  type FileTools,
  fill,
  ID_A,
  ID_B,
  putSecret,
  type StoreFileOptions,
  UNAVAILABLE,
  wholeContentOf,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";
import { upgradeFileContract, type Version1Content } from "./upgrade-contract.ts";

export interface FileBackupContractOptions extends StoreFileOptions {
  /** Creates a store in layout 1 at a path. Default: skip the tests of layout 1. */
  readonly makeVersion1?: ((path: string, content: Version1Content) => Promise<void>) | undefined;
}

/**
 * Registers one test for each promise of {@link FileBackup}, and for what the other abilities mean for a store that is
 * one file. Use it together with `secretStoreContract`, `bulkInsertContract` and `exclusiveLockContract`:
 *
 * ```ts
 * import { copyFile, rename, writeFile } from "node:fs/promises";
 *
 * fileBackupContract({ it, expect, newPath, open: openMyStore, copy: copyFile, write: writeFile, move: rename });
 * ```
 */
export function fileBackupContract({ makeVersion1, ...options }: FileBackupContractOptions): void {
  const { it, newPath, open } = options;

  async function opened<T>(path: string, work: (store: FileStore) => Promise<T>, create = true): Promise<T> {
    const store = await open(path, { create });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  function test(name: string, run: (store: FileStore, path: string) => Promise<void>): void {
    it(name, async () => {
      const path = newPath();
      await opened(path, async (store) => await run(store, path));
    });
  }

  const tools = { ...options, opened, test };
  openContract(tools);
  backupContract(tools);
  competingBackupsContract(tools);
  lockedFileContract(tools);
  if (makeVersion1 !== undefined) upgradeFileContract(tools, makeVersion1);
}

function openContract({ it, expect, newPath, open, opened, test }: FileTools): void {
  it("where `create` is false nothing is made, and what is there is opened", async () => {
    const path = newPath();
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(open(path, { create: false })).rejects.toMatchObject(UNAVAILABLE);
    }
    await opened(path, async (store) => await putSecret(store, sampleSecret("A")));
    expect(await opened(path, async (store) => await store.get(A), false)).toEqual(sampleSecret("A"));
  });

  test("a closed store is not copied", async (store) => {
    await store.close();
    await expect(store.backup(newPath())).rejects.toMatchObject(UNAVAILABLE);
  });
}

function backupContract({ expect, newPath, opened, write, test }: FileTools): void {
  test("a backup has all that the store has, and is a store of its own", async (store) => {
    const path = newPath();
    await fill(store);
    const content = await wholeContentOf(store);
    await store.backup(path);
    expect(await contentAt(opened, path)).toEqual(content);
    await opened(path, async (copied) => await copied.purge(ID_A), false);
    expect(await wholeContentOf(store)).toEqual(content);
    await store.purge(ID_B);
    expect(await opened(path, async (copied) => (await copied.list({ state: "all" })).length, false)).toBe(3);
  });

  test("a backup of an empty store is an empty store", async (store) => {
    const path = newPath();
    await store.backup(path);
    expect(await contentAt(opened, path)).toEqual({ anchors: [], content: { header: null, all: [], versions: [] } });
  });

  test("a snapshot is the content of such a file, while others write, too", async (store, path) => {
    const [first, second] = [newPath(), newPath()];
    await fill(store);
    const content = await wholeContentOf(store);
    await write(first, await store.snapshot());
    expect(await contentAt(opened, first)).toEqual(content);
    await opened(path, async (other) => {
      const [snapshot] = await Promise.all([store.snapshot(), other.purge(ID_A)]);
      await write(second, snapshot);
    });
    const count = await opened(second, async (copied) => await copied.count({ state: "all" }), false);
    expect(count === 3 || count === 4).toBe(true);
  });
}

/** Backups of one name, and beside writers. */
function competingBackupsContract({ expect, newPath, opened, test }: FileTools): void {
  test("a backup replaces nothing", async (store) => {
    const path = newPath();
    await fill(store);
    await store.backup(path);
    const content = await contentAt(opened, path);
    await store.purge(ID_A);
    await expect(store.backup(path)).rejects.toMatchObject(UNAVAILABLE);
    expect(await contentAt(opened, path)).toEqual(content);
  });

  test("of many backups of one name exactly one is made", async (store) => {
    const path = newPath();
    await fill(store);
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.backup(path)));
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(1);
    expect(await contentAt(opened, path)).toEqual(await wholeContentOf(store));
  });

  test("backups while others write have each put whole, or nothing of it", async (store, path) => {
    const copies = Array.from({ length: 5 }, newPath);
    const both = (version: number) =>
      ["A", "B"].map((name) => ({
        secret: sampleSecret(name, { version }),
        expected: version === 1 ? null : { id: sampleId(name), revision: version - 1 },
      }));
    await store.put(both(1), null);
    await opened(path, async (other) => {
      for (const [index, copied] of copies.entries()) {
        await Promise.all([other.put(both(index + 2), null), store.backup(copied)]);
      }
    });
    for (const [index, copied] of copies.entries()) {
      const versions = await opened(copied, async (one) => (await one.list()).map(({ version }) => version), false);
      expect(versions.length === 2 && versions[0] === versions[1] && Number(versions[0]) > index).toBe(true);
    }
  });
}

async function contentAt(opened: FileTools["opened"], path: string): Promise<unknown> {
  return await opened(path, wholeContentOf, false);
}

function lockedFileContract({ expect, newPath, open, opened, copy, move, test }: FileTools): void {
  test("exclusively has all that was written in the one file, which can be copied", async (store, path) => {
    const copied = newPath();
    await fill(store);
    const content = await wholeContentOf(store);
    await store.exclusively(async () => await copy(path, copied));
    expect(await opened(copied, wholeContentOf, false)).toEqual(content);
  });

  test("exclusively has all that was written in the one file, which can be moved", async (store, path) => {
    const moved = newPath();
    await fill(store);
    const content = await wholeContentOf(store);
    await store.exclusively(async () => await move(path, moved));
    await store.close();
    expect(await opened(moved, wholeContentOf, false)).toEqual(content);
    await expect(open(path, { create: false })).rejects.toMatchObject(UNAVAILABLE);
  });
}
