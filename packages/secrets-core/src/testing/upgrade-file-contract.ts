import type { StoreLayout } from "../secret-store.ts";
import { short } from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";
import { type FileTools, UNAVAILABLE, wholeContentOf } from "./store-file-tools.ts";
import type { Version1Content } from "./upgrade-contract.ts";

const CONTENT: Version1Content = {
  header: "one",
  secrets: [sampleSecret("A"), sampleSecret("A", { version: 2 }), sampleSecret("B")],
};
const mac = () => "c0ffee00:mac";

type Make = (path: string, content: Version1Content) => Promise<void>;

/** What stays of layout 1 in files. */
export function upgradeFileContract(tools: FileTools, make: Make): void {
  keptContract(tools, make);
  notUpgradedContract(tools, make);
}

async function layoutAt({ opened }: FileTools, path: string): Promise<StoreLayout> {
  return await opened(path, async (store) => await store.layout(), false);
}

async function contentAt({ opened }: FileTools, path: string): Promise<unknown> {
  return await opened(path, wholeContentOf, false);
}

function keptContract(tools: FileTools, make: Make): void {
  const { it, expect, newPath, opened, copy, move } = tools;

  it("an upgrade keeps what was there beside it, as a store of version 1", async () => {
    const path = newPath();
    await make(path, CONTENT);
    const before = await contentAt(tools, path);
    expect(await opened(path, async (store) => await store.upgrade("two", "one", mac), false)).toBe(true);
    expect([await layoutAt(tools, path), await layoutAt(tools, `${path}.v1.backup`)]).toEqual([2, 1]);
    expect(await contentAt(tools, `${path}.v1.backup`)).toEqual(before);
  });

  it("an upgrade leaves a file of that name alone, and needs no second one of the same content", async () => {
    const path = newPath();
    await make(path, CONTENT);
    const original = newPath();
    await opened(path, async (store) => await store.exclusively(async () => await copy(path, original)), false);
    const upgrade = async () => await opened(path, async (store) => await store.upgrade("two", "one", mac), false);
    expect(await upgrade()).toBe(true);
    await opened(path, async (store) => await store.exclusively(async () => await move(path, newPath())), false);
    await copy(original, path);
    expect(await upgrade()).toBe(true);
    await expect(layoutAt(tools, `${path}.v1.2.backup`)).rejects.toMatchObject(UNAVAILABLE);
    await opened(path, async (store) => await store.exclusively(async () => await move(path, newPath())), false);
    await make(path, { ...CONTENT, secrets: [sampleSecret("C")] });
    expect(await upgrade()).toBe(true);
    expect(await layoutAt(tools, `${path}.v1.2.backup`)).toBe(1);
    expect(await opened(`${path}.v1.2.backup`, async (store) => short(await store.list()))).toBe("C1");
    expect(await opened(`${path}.v1.backup`, async (store) => short(await store.list()))).toBe("A2 B1");
  });
}

function notUpgradedContract(tools: FileTools, make: Make): void {
  const { it, expect, newPath, opened } = tools;

  it("an upgrade that does not happen keeps nothing", async () => {
    const path = newPath();
    await make(path, CONTENT);
    const fail = () => {
      throw new RangeError("no mac");
    };
    await opened(path, async (store) => {
      expect(await store.upgrade("two", "another", mac)).toBe(false);
      await expect(store.upgrade("two", "one", fail)).rejects.toMatchObject({});
    });
    await expect(layoutAt(tools, `${path}.v1.backup`)).rejects.toMatchObject(UNAVAILABLE);
    expect(await layoutAt(tools, path)).toBe(1);
  });

  it("a backup of a store of version 1 is one of version 1, and nothing is loaded into it", async () => {
    const [path, copied] = [newPath(), newPath()];
    await make(path, CONTENT);
    await opened(path, async (store) => {
      await store.backup(copied);
      await expect(store.load([[sampleSecret("C")]])).rejects.toMatchObject(UNAVAILABLE);
      expect(await store.anchors()).toEqual([]);
      expect(await store.exclusively(async () => short(await store.list()))).toBe("A2 B1");
    });
    expect([await layoutAt(tools, path), await layoutAt(tools, copied)]).toEqual([1, 1]);
    expect(await contentAt(tools, copied)).toEqual(await contentAt(tools, path));
  });
}
