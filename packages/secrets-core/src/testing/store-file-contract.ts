import type { SecretName } from "../secret-name.ts";
import type { SecretStore, SecretStoreFile } from "../secret-store.ts";
import {
  A,
  B,
  contentOf,
  DELETED,
  type FileTools,
  historyOfA,
  ID_A,
  ID_B,
  LATER,
  OTHER_ID,
  older,
  putSecret,
  type StoreFileOptions,
  short,
  UNAVAILABLE,
  wholeContentOf,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";
import type { Version1Content } from "./upgrade-contract.ts";
import { upgradeFileContract } from "./upgrade-contract.ts";

export interface StoreFileContractOptions extends StoreFileOptions {
  /** Makes a store in layout 1 at a path. Without it the tests of layout 1 are left out. */
  readonly makeVersion1?: ((path: string, content: Version1Content) => Promise<void>) | undefined;
}

const ANCHOR = { name: "audit", counter: 7, text: "text", mac: "mac" };

/**
 * Registers one test per promise of {@link SecretStoreFile}, beside those of `secretStoreContract`:
 *
 * ```ts
 * import { copyFile, rename } from "node:fs/promises";
 *
 * secretStoreFileContract({ it, expect, newPath, open: openMyStore, copy: copyFile, move: rename });
 * ```
 */
export function secretStoreFileContract({ makeVersion1, ...options }: StoreFileContractOptions): void {
  const { it, newPath, open } = options;

  async function opened<T>(path: string, work: (store: SecretStoreFile) => Promise<T>, create = true): Promise<T> {
    const store = await open(path, { create });
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  }

  function test(name: string, run: (store: SecretStoreFile, path: string) => Promise<void>): void {
    it(name, async () => {
      const path = newPath();
      await opened(path, async (store) => await run(store, path));
    });
  }

  const tools = { ...options, opened, test };
  openContract(tools);
  backupContract(tools);
  loadContract(tools);
  exclusiveContract(tools);
  contentionContract(tools);
  if (makeVersion1 !== undefined) upgradeFileContract(tools, makeVersion1);
}

/** Some secrets with older versions, one of them deleted, under a header, and an anchor. */
async function fill(store: SecretStore): Promise<void> {
  await store.writeHeader("one", null);
  for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name, { tags: ["x", name] }));
  await putSecret(store, sampleSecret("B", { version: 2 }), { id: ID_B, revision: 1 });
  await store.delete(ID_B, DELETED);
  await putSecret(store, sampleSecret("B", { id: OTHER_ID }));
  await store.writeAnchor(ANCHOR, null);
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

  test("anchors are listed", async (store) => {
    expect(await store.anchors()).toEqual([]);
    await store.writeAnchor(ANCHOR, null);
    expect(await store.anchors()).toEqual([ANCHOR]);
  });

  test("a closed store file says so", async (store) => {
    await store.close();
    await expect(store.backup(newPath())).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.load([])).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.anchors()).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.exclusively(async () => undefined)).rejects.toMatchObject(UNAVAILABLE);
  });
}

function backupContract({ expect, newPath, opened, test }: FileTools): void {
  const contentAt = async (path: string) => await opened(path, wholeContentOf, false);

  test("a backup has all that the store has, and is a store of its own", async (store) => {
    const path = newPath();
    await fill(store);
    const content = await wholeContentOf(store);
    await store.backup(path);
    expect(await contentAt(path)).toEqual(content);
    await opened(path, async (copied) => await copied.purge(ID_A), false);
    expect(await wholeContentOf(store)).toEqual(content);
    await store.purge(ID_B);
    expect(await opened(path, async (copied) => (await copied.list({ state: "all" })).length, false)).toBe(3);
  });

  test("a backup of an empty store is an empty store", async (store) => {
    const path = newPath();
    await store.backup(path);
    expect(await contentAt(path)).toEqual({ anchors: [], content: { header: null, all: [], histories: [] } });
  });

  test("a backup replaces nothing", async (store) => {
    const path = newPath();
    await fill(store);
    await store.backup(path);
    const content = await contentAt(path);
    await store.purge(ID_A);
    await expect(store.backup(path)).rejects.toMatchObject(UNAVAILABLE);
    expect(await contentAt(path)).toEqual(content);
  });

  test("of many backups of one name exactly one is made", async (store) => {
    const path = newPath();
    await fill(store);
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => store.backup(path)));
    expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(1);
    expect(await contentAt(path)).toEqual(await wholeContentOf(store));
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

function loadContract({ expect, opened, test }: FileTools): void {
  test("load fills a store with whole secrets, deleted ones too, however many versions they have", async (store, path) => {
    const versions = (name: string, count: number, deletedAt: string | null, id = sampleId(name)) =>
      Array.from({ length: count }, (_, index) => sampleSecret(name, { version: index + 3, deletedAt, id }));
    const histories = [
      versions("B", 12, null),
      versions("A", 2, DELETED),
      versions("A", 1, LATER, OTHER_ID),
      versions("C", 1, null),
    ];
    await store.load(histories);
    await store.load([]);
    for (const history of histories) {
      const [newest, ...rest] = history.toReversed();
      if (newest === undefined) continue;
      expect(await store.history(newest.metadata.id)).toEqual([newest, ...rest.map((one) => older(one, newest))]);
    }
    expect(short(await store.list())).toBe("B14 C3");
    expect((await store.list({ state: "deleted" })).map(({ id }) => id)).toEqual([ID_A, OTHER_ID].sort());
    await putSecret(store, sampleSecret("A", { id: "5f2b1a0e-0000-4000-8000-000000000001" }));
    await putSecret(store, sampleSecret("B", { version: 15 }), { id: ID_B, revision: 14 });
    expect((await store.history(ID_B)).length).toBe(10);
    const content = await wholeContentOf(store);
    await store.close();
    expect(await opened(path, wholeContentOf, false)).toEqual(content);
  });

  test("load says of a whole secret what its last version says", async (store) => {
    const current = sampleSecret("A", { version: 2, revision: 9, deletedAt: DELETED, importedId: 3, policy: "{}" });
    await store.load([[sampleSecret("A", { deletedAt: LATER, importedId: 1 }), current]]);
    expect(await store.history(ID_A)).toEqual([current, older(sampleSecret("A"), current)]);
  });

  test("load takes all or nothing, and replaces nothing", async (store) => {
    await putSecret(store, sampleSecret("B"));
    const content = await contentOf(store);
    const { metadata, envelope, mac } = sampleSecret("C");
    const refused = [
      ["SECRET_EXISTS", [sampleSecret("B", { id: OTHER_ID })]],
      ["SECRET_EXISTS", [sampleSecret("A", { id: OTHER_ID })]],
      ["SECRET_EXISTS", [sampleSecret("B", { deletedAt: DELETED })]],
      ["SECRET_EXISTS", [sampleSecret("C", { id: ID_A })]],
      ["NAME_INVALID", [{ metadata: { ...metadata, name: "../x" as SecretName }, envelope, mac }]],
      ["VALUE_INVALID", [{ metadata: { ...metadata, version: 0 }, envelope, mac }]],
      ["VALUE_INVALID", historyOfA([2, 1], { id: OTHER_ID, name: metadata.name })],
      ["VALUE_INVALID", [sampleSecret("C"), sampleSecret("C", { version: 2, id: OTHER_ID })]],
      ["VALUE_INVALID", [sampleSecret("C"), sampleSecret("C", { version: 2, name: B })]],
    ] as const;
    for (const [index, [code, history]] of refused.entries()) {
      const outcome = await store.load([[sampleSecret("A")], history]).then(
        () => null,
        (error: { code?: unknown }) => error.code,
      );
      expect({ index, code: outcome }).toEqual({ index, code });
      expect(await contentOf(store)).toEqual(content);
    }
  });
}

function exclusiveContract({ expect, newPath, open, opened, copy, move, test }: FileTools): void {
  test("exclusively gives what work gives, and lets this opening read", async (store) => {
    await fill(store);
    const content = await contentOf(store);
    expect(await store.exclusively(async () => await contentOf(store))).toEqual(content);
  });

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

function contentionContract({ expect, opened, test }: FileTools): void {
  test("exclusively lets nobody else write, nor be exclusive", async (store, path) => {
    await putSecret(store, sampleSecret("A"));
    await store.exclusively(async () => {
      const write = async (other: SecretStore) => await putSecret(other, sampleSecret("B"));
      await expect(opened(path, write, false)).rejects.toMatchObject(UNAVAILABLE);
      const enter = async (other: SecretStoreFile) => await other.exclusively(async () => undefined);
      await expect(opened(path, enter, false)).rejects.toMatchObject(UNAVAILABLE);
    });
    await store.close();
    await opened(path, async (other) => {
      expect(short(await other.list())).toBe("A1");
      await putSecret(other, sampleSecret("B"));
    });
  });

  test("exclusively passes an error of work on, and others can write again", async (store, path) => {
    const failure = new RangeError("work has failed");
    const fail = async () => await Promise.reject(failure);
    await expect(store.exclusively(fail)).rejects.toMatchObject({ name: "RangeError", message: "work has failed" });
    await store.close();
    await opened(path, async (other) => await putSecret(other, sampleSecret("A")), false);
  });

  test("a store that another opening has may not be had exclusively, or nobody writes meanwhile", async (store, path) => {
    await opened(path, async (other) => {
      const write = async () => await putSecret(other, sampleSecret("A"));
      const enter = store.exclusively(async () => await expect(write()).rejects.toMatchObject(UNAVAILABLE));
      await enter.catch(async (error: unknown) => {
        await expect(Promise.reject(error)).rejects.toMatchObject(UNAVAILABLE);
      });
      await store.close();
      await write();
    });
  });
}
