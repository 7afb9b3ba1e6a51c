import { parseSecretName } from "../secret-name.ts";
import type { SecretStore, SecretStoreFile } from "../secret-store.ts";
import { putSecret } from "./put-secret.ts";
import { sampleSecret } from "./sample-secret.ts";
import type { StoreContractOptions } from "./store-contract.ts";

export interface StoreFileContractOptions extends Pick<StoreContractOptions, "it" | "expect"> {
  /** A path where there is nothing, in a folder of its own that is there. Another one with each call. */
  readonly newPath: () => string;
  /** Opens the store at a path, and waits for other openings only briefly. */
  readonly open: (path: string, options: { readonly create: boolean }) => Promise<SecretStoreFile>;
  /** `copyFile` of node:fs/promises. */
  readonly copy: (from: string, to: string) => Promise<void>;
  /** `rename` of node:fs/promises. */
  readonly move: (from: string, to: string) => Promise<void>;
}

const A = parseSecretName("A");
const DELETED = "2026-02-01T00:00:00.000Z";
const UNAVAILABLE = { code: "STORE_UNAVAILABLE" };

/**
 * Registers one test per promise of {@link SecretStoreFile}, beside those of `secretStoreContract`:
 *
 * ```ts
 * import { copyFile, rename } from "node:fs/promises";
 *
 * secretStoreFileContract({ it, expect, newPath, open: openMyStore, copy: copyFile, move: rename });
 * ```
 */
export function secretStoreFileContract({ it, expect, newPath, open, copy, move }: StoreFileContractOptions): void {
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

  /** All that a store tells. */
  async function contentOf(store: SecretStore): Promise<unknown> {
    const all = await store.list({ state: "all" });
    const histories = [];
    for (const { name } of all) histories.push(await store.history(name));
    return { header: await store.readHeader(), all, histories };
  }

  const contentAt = async (path: string) => await opened(path, contentOf, false);

  /** Some secrets with older versions, one of them deleted, under a header. */
  async function fill(store: SecretStore): Promise<void> {
    await store.writeHeader("one", null);
    for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name, { tags: ["x", name] }));
    await putSecret(store, sampleSecret("B", { version: 2 }), 1);
    await store.delete(parseSecretName("B"), DELETED);
  }

  it("where `create` is false nothing is made, and what is there is opened", async () => {
    const path = newPath();
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(open(path, { create: false })).rejects.toMatchObject(UNAVAILABLE);
    }
    await opened(path, async (store) => await putSecret(store, sampleSecret("A")));
    expect(await opened(path, async (store) => await store.get(A), false)).toEqual(sampleSecret("A"));
  });

  test("a backup has all that the store has, and is a store of its own", async (store) => {
    const path = newPath();
    await fill(store);
    const content = await contentOf(store);
    await store.backup(path);
    expect(await contentAt(path)).toEqual(content);
    await opened(path, async (copied) => await copied.purge(A), false);
    expect(await contentOf(store)).toEqual(content);
    await store.purge(parseSecretName("B"));
    expect(await opened(path, async (copied) => (await copied.list({ state: "all" })).length, false)).toBe(2);
  });

  test("a backup of an empty store is an empty store", async (store) => {
    const path = newPath();
    await store.backup(path);
    expect(await contentAt(path)).toEqual({ header: null, all: [], histories: [] });
  });

  test("a backup takes the place of nothing", async (store) => {
    const path = newPath();
    await fill(store);
    await store.backup(path);
    const content = await contentAt(path);
    await store.purge(A);
    await expect(store.backup(path)).rejects.toMatchObject(UNAVAILABLE);
    expect(await contentAt(path)).toEqual(content);
  });

  test("backups while others write have each put whole, or nothing of it", async (store, path) => {
    const copies = Array.from({ length: 5 }, newPath);
    const both = (version: number) =>
      ["A", "B"].map((name) => ({
        secret: sampleSecret(name, { version }),
        expectedVersion: version === 1 ? null : version - 1,
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

  test("load fills a store with whole secrets, deleted ones too, however many versions they have", async (store, path) => {
    const versions = (name: string, count: number, deletedAt: string | null) =>
      Array.from({ length: count }, (_, index) => sampleSecret(name, { version: index + 3, deletedAt }));
    const histories = [versions("B", 12, null), versions("A", 2, DELETED), versions("C", 1, null)];
    await store.load(histories);
    await store.load([]);
    for (const history of histories) {
      const name = history[0]?.metadata.name ?? A;
      expect(await store.history(name)).toEqual(history.toReversed());
    }
    expect((await store.list()).map(({ name, version }) => name + version)).toEqual(["B14", "C3"]);
    expect(await store.restore(A)).toBe(true);
    await putSecret(store, sampleSecret("B", { version: 15 }), 14);
    expect((await store.history(parseSecretName("B"))).length).toBe(10);
    const content = await contentOf(store);
    await store.close();
    expect(await contentAt(path)).toEqual(content);
  });

  test("load takes all or nothing, and replaces nothing", async (store) => {
    await putSecret(store, sampleSecret("B"));
    const content = await contentOf(store);
    const { metadata, envelope } = sampleSecret("C");
    const refused = [
      ["SECRET_EXISTS", sampleSecret("B", { id: "2c5ea4c0-4067-41e9-8bad-9b1deb4d3b7d" })],
      ["SECRET_EXISTS", sampleSecret("A", { version: 2 })],
      ["NAME_INVALID", { metadata: { ...metadata, name: "../x" as typeof A }, envelope }],
      ["VALUE_INVALID", { metadata: { ...metadata, version: 0 }, envelope }],
    ] as const;
    for (const [code, secret] of refused) {
      await expect(store.load([[sampleSecret("A")], [secret]])).rejects.toMatchObject({ code });
      expect(await contentOf(store)).toEqual(content);
    }
  });

  test("exclusively gives what work gives, and lets this opening read", async (store) => {
    await fill(store);
    const content = await contentOf(store);
    expect(await store.exclusively(async () => await contentOf(store))).toEqual(content);
  });

  test("exclusively has all that was written in the one file, which can be copied", async (store, path) => {
    const copied = newPath();
    await fill(store);
    const content = await contentOf(store);
    await store.exclusively(async () => await copy(path, copied));
    expect(await contentAt(copied)).toEqual(content);
  });

  test("exclusively has all that was written in the one file, which can be moved", async (store, path) => {
    const moved = newPath();
    await fill(store);
    const content = await contentOf(store);
    await store.exclusively(async () => await move(path, moved));
    await store.close();
    expect(await contentAt(moved)).toEqual(content);
    await expect(open(path, { create: false })).rejects.toMatchObject(UNAVAILABLE);
  });

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
      expect((await other.list()).map(({ name }) => name)).toEqual(["A"]);
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

  test("a closed store file says so", async (store) => {
    await store.close();
    await expect(store.backup(newPath())).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.load([])).rejects.toMatchObject(UNAVAILABLE);
    await expect(store.exclusively(async () => undefined)).rejects.toMatchObject(UNAVAILABLE);
  });
}
