import { short } from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";
import { type FileTools, UNAVAILABLE, wholeContentOf } from "./store-file-tools.ts";
import type { Version1Content } from "./upgrade-contract.ts";

/** What stays of layout 1 in files. */
export function upgradeFileContract(
  { it, expect, newPath, opened, copy, move }: FileTools,
  make: (path: string, content: Version1Content) => Promise<void>,
): void {
  const content = { header: "one", secrets: [sampleSecret("A"), sampleSecret("A", { version: 2 }), sampleSecret("B")] };
  const mac = () => "c0ffee00:mac";
  const layoutAt = async (path: string) => await opened(path, async (store) => await store.layout(), false);
  const contentAt = async (path: string) => await opened(path, wholeContentOf, false);

  it("an upgrade keeps what was there beside it, as a store of version 1", async () => {
    const path = newPath();
    await make(path, content);
    const before = await contentAt(path);
    expect(await opened(path, async (store) => await store.upgrade("two", "one", mac), false)).toBe(true);
    expect([await layoutAt(path), await layoutAt(`${path}.v1.backup`)]).toEqual([2, 1]);
    expect(await contentAt(`${path}.v1.backup`)).toEqual(before);
  });

  it("an upgrade leaves a file of that name alone, and needs no second one of the same content", async () => {
    const path = newPath();
    await make(path, content);
    const original = newPath();
    await opened(path, async (store) => await store.exclusively(async () => await copy(path, original)), false);
    const upgrade = async () => await opened(path, async (store) => await store.upgrade("two", "one", mac), false);
    expect(await upgrade()).toBe(true);
    await opened(path, async (store) => await store.exclusively(async () => await move(path, newPath())), false);
    await copy(original, path);
    expect(await upgrade()).toBe(true);
    await expect(layoutAt(`${path}.v1.2.backup`)).rejects.toMatchObject(UNAVAILABLE);
    await opened(path, async (store) => await store.exclusively(async () => await move(path, newPath())), false);
    await make(path, { ...content, header: "one", secrets: [sampleSecret("C")] });
    expect(await upgrade()).toBe(true);
    expect(await layoutAt(`${path}.v1.2.backup`)).toBe(1);
    expect(await opened(`${path}.v1.2.backup`, async (store) => short(await store.list()))).toBe("C1");
    expect(await opened(`${path}.v1.backup`, async (store) => short(await store.list()))).toBe("A2 B1");
  });

  it("an upgrade that does not happen keeps nothing", async () => {
    const path = newPath();
    await make(path, content);
    const fail = () => {
      throw new RangeError("no mac");
    };
    await opened(path, async (store) => {
      expect(await store.upgrade("two", "another", mac)).toBe(false);
      await expect(store.upgrade("two", "one", fail)).rejects.toMatchObject({});
    });
    await expect(layoutAt(`${path}.v1.backup`)).rejects.toMatchObject(UNAVAILABLE);
    expect(await layoutAt(path)).toBe(1);
  });

  it("a backup of a store of version 1 is one of version 1, and nothing is loaded into it", async () => {
    const [path, copied] = [newPath(), newPath()];
    await make(path, content);
    await opened(path, async (store) => {
      await store.backup(copied);
      await expect(store.load([[sampleSecret("C")]])).rejects.toMatchObject(UNAVAILABLE);
      expect(await store.anchors()).toEqual([]);
      expect(await store.exclusively(async () => short(await store.list()))).toBe("A2 B1");
    });
    expect([await layoutAt(path), await layoutAt(copied)]).toEqual([1, 1]);
    expect(await contentAt(copied)).toEqual(await contentAt(path));
  });
}
