import type { EncryptedSecret } from "../secret.ts";
import type { StoreLayout } from "../secret-store.ts";
import {
  A,
  B,
  type ContractTools,
  contentOf,
  DELETED,
  type Expect,
  type FileTools,
  ID_A,
  ID_B,
  LATER,
  type OpenedStore,
  OTHER_ID,
  older,
  putSecret,
  refusal,
  short,
  UNAVAILABLE,
  wholeContentOf,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";

/** The content of a store of version 1. */
export interface Version1Content {
  readonly header: string | null;
  /**
   * Versions of secrets, those of one secret from the oldest to the newest. Their revisions and macs are not stored.
   */
  readonly secrets: readonly EncryptedSecret[];
}

interface UpgradeTools {
  readonly it: (name: string, run: () => Promise<void>) => void;
  readonly expect: Expect;
  readonly openVersion1: (content: Version1Content) => Promise<OpenedStore>;
}

/** A secret as version 1 has encrypted it. */
function sample(...parameters: Parameters<typeof sampleSecret>): EncryptedSecret {
  const { metadata, envelope, mac } = sampleSecret(...parameters);
  return { metadata, envelope: { ...envelope, format: 1 }, mac };
}

const SECRETS = [
  sample("A", { version: 3, type: "oauth", tags: ["x"], description: "ü" }),
  sample("A", { version: 5, expiresAt: LATER }),
  sample("B", { version: 1, deletedAt: DELETED }),
  sample("B", { version: 2, deletedAt: DELETED }),
  sample("C"),
];
const ID_C = sampleId("C");

/** The mac of the test: tells which secret it was given. */
function authenticate({ metadata: { id, version, revision, deletedAt }, envelope, mac }: EncryptedSecret): string {
  return JSON.stringify([id, version, revision, deletedAt, [...envelope.nonce], mac]);
}

/** Returns the versions of a secret as a store returns them, the newest first. */
function versionsOf(id: string, layout: 1 | 2): readonly EncryptedSecret[] {
  const stored = SECRETS.filter(({ metadata }) => metadata.id === id).toReversed();
  const [newest] = stored;
  if (newest === undefined) return [];
  const unsigned = { ...newest, mac: null };
  const current = layout === 1 ? unsigned : { ...newest, mac: authenticate(unsigned) };
  return stored.map((one) => (one === newest ? current : older(one, current)));
}

interface Version1Tools extends ContractTools {
  readonly it: UpgradeTools["it"];
  readonly openVersion1: UpgradeTools["openVersion1"];
}

/** Tests how stores of version 1 are read and upgraded. */
export function upgradeContract({ it, expect, openVersion1 }: UpgradeTools): void {
  const test: ContractTools["test"] = (name, run) => {
    it(name, async () => {
      const { store } = await openVersion1({ header: "one", secrets: SECRETS });
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  };
  const tools = { test, it, expect, openVersion1 };

  version1Contract(tools);
  upgradeWorks(tools);
  upgradeFails(tools);
  upgradersContract(tools);
}

function version1Contract({ test, expect }: Version1Tools): void {
  test("a store of version 1 is read as it is, without macs, and stays what it is", async (store) => {
    expect(await store.layout()).toBe(1);
    expect(await store.readHeader()).toBe("one");
    for (const id of [ID_A, ID_B, ID_C]) {
      expect(await store.versions(id)).toEqual(versionsOf(id, 1));
      expect(await store.find(id)).toEqual(versionsOf(id, 1)[0]);
    }
    expect(await store.get(A)).toEqual(versionsOf(ID_A, 1)[0]);
    expect(await store.get(B)).toBe(null);
    expect(await store.ids()).toEqual([ID_A, ID_B, ID_C].sort());
    expect(short(await store.list())).toBe("A5 C1");
    expect(short(await store.list({ state: "all" }))).toBe("A5 B2 C1");
    expect((await store.list())[0]).toEqual(versionsOf(ID_A, 1)[0]?.metadata);
    expect(await store.readAnchor("audit")).toBe(null);
    expect(await store.layout()).toBe(1);
  });

  test("a store of version 1 takes nothing new", async (store) => {
    const before = await contentOf(store);
    const unavailable = { code: "STORE_UNAVAILABLE" };
    const next = sample("A", { version: 6 });
    const nonce = versionsOf(ID_A, 1)[0]?.envelope.nonce ?? new Uint8Array();
    await expect(putSecret(store, sample("D"))).rejects.toMatchObject(unavailable);
    await expect(putSecret(store, next, { id: ID_A, revision: 5 })).rejects.toMatchObject(unavailable);
    const change = { versions: [sample("A", { version: 5, revision: 6 })], nonces: [nonce], revision: 5 };
    await expect(store.rewrite(change, "one")).rejects.toMatchObject(unavailable);
    await expect(store.reencrypt([{ secret: sample("A", { version: 5 }), nonce }], "one")).rejects.toMatchObject(
      unavailable,
    );
    expect(await refusal(store.writeHeader("two", "one"))).toBe("STORE_UNAVAILABLE");
    const anchor = { name: "audit", counter: 0, text: "", mac: "" };
    expect(await refusal(store.writeAnchor(anchor, null))).toBe("STORE_UNAVAILABLE");
    expect(await contentOf(store)).toEqual(before);
    expect(await store.layout()).toBe(1);
  });

  test("deleting and purging need no upgrade", async (store) => {
    expect(await store.delete(ID_A, LATER)).toBe(true);
    expect(await store.delete(ID_A, LATER)).toBe(false);
    expect(await store.delete(OTHER_ID, LATER)).toBe(false);
    expect(short(await store.list())).toBe("C1");
    expect((await store.versions(ID_A)).map(({ metadata }) => metadata.deletedAt)).toEqual([LATER, LATER]);
    expect(await store.purge(ID_C)).toBe(true);
    expect(await store.purge(ID_C)).toBe(false);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
    expect(await store.purgeDeleted(LATER)).toBe(1);
    expect(await store.ids()).toEqual([ID_A]);
    expect(await store.layout()).toBe(1);
    expect(await store.upgrade("two", "one", authenticate)).toBe(true);
    const [current] = await store.versions(ID_A);
    expect([current?.metadata.deletedAt, current?.mac === null]).toEqual([LATER, false]);
  });
}

function upgradeWorks({ test, it, expect, openVersion1 }: Version1Tools): void {
  test("upgrade gives every secret a mac and changes nothing else but the header", async (store) => {
    const given: string[] = [];
    const upgraded = await store.upgrade("two", "one", (secret) => {
      given.push(secret.metadata.id);
      return authenticate(secret);
    });
    expect(upgraded).toBe(true);
    expect(given.sort()).toEqual([ID_A, ID_B, ID_C].sort());
    expect([await store.layout(), await store.readHeader()]).toEqual([2, "two"]);
    for (const id of [ID_A, ID_B, ID_C]) expect(await store.versions(id)).toEqual(versionsOf(id, 2));
    expect(short(await store.list({ state: "all" }))).toBe("A5 B2 C1");
    expect(await store.upgrade("three", "two", authenticate)).toBe(false);
    expect(await store.readHeader()).toBe("two");
  });

  test("after the upgrade everything can be written", async (store) => {
    await store.upgrade("two", "one", authenticate);
    await putSecret(store, sampleSecret("A", { version: 6 }), { id: ID_A, revision: 5 });
    await putSecret(store, sampleSecret("B", { id: OTHER_ID }));
    expect(short(await store.list())).toBe("A6 B1 C1");
    expect((await store.versions(ID_A)).map(({ envelope }) => envelope.format)).toEqual([2, 1, 1]);
    expect(await refusal(store.writeHeader("three", "two", ["0badcafe"]))).toBe("DATA_KEY_IN_USE");
    expect(await store.writeAnchor({ name: "audit", counter: 1, text: "t", mac: "m" }, null)).toBe(true);
  });

  it("an empty store of version 1 without a header is upgraded, too", async () => {
    const { store } = await openVersion1({ header: null, secrets: [] });
    expect([await store.layout(), await store.readHeader(), await store.ids()]).toEqual([1, null, []]);
    expect(await store.upgrade("one", null, authenticate)).toBe(true);
    await putSecret(store, sampleSecret("A"));
    expect([await store.layout(), await store.readHeader(), short(await store.list())]).toEqual([2, "one", "A1"]);
    await store.close();
  });
}

function upgradeFails({ test, expect }: Version1Tools): void {
  test("upgrade is refused under another header, and changes nothing", async (store) => {
    const before = await contentOf(store);
    for (const expected of ["two", null]) expect(await store.upgrade("two", expected, authenticate)).toBe(false);
    expect(await contentOf(store)).toEqual(before);
    expect(await store.layout()).toBe(1);
  });

  test("an upgrade that fails halfway changes nothing, and works when it is tried again", async (store) => {
    const before = await contentOf(store);
    let calls = 0;
    const fail = (): string => {
      calls += 1;
      if (calls < 3) return "mac";
      throw new RangeError("no mac");
    };
    await expect(store.upgrade("two", "one", fail)).rejects.toMatchObject({});
    expect(await contentOf(store)).toEqual(before);
    expect(await store.layout()).toBe(1);
    expect(await store.upgrade("two", "one", authenticate)).toBe(true);
    expect(await store.versions(ID_A)).toEqual(versionsOf(ID_A, 2));
  });
}

function upgradersContract({ it, expect, openVersion1 }: Version1Tools): void {
  it("an upgrade is seen by other openings of the store, and outlives closing", async () => {
    const { store, reopen } = await openVersion1({ header: "one", secrets: SECRETS });
    if (reopen === null) return await store.close();
    const [reader, writer] = [await reopen(), await reopen()];
    expect(short(await reader.list())).toBe("A5 C1");
    expect(await writer.layout()).toBe(1);
    expect(await store.upgrade("two", "one", authenticate)).toBe(true);
    await putSecret(store, sampleSecret("D"));
    await putSecret(writer, sampleSecret("E"));
    expect(short(await reader.list())).toBe("A5 C1 D1 E1");
    expect([await reader.layout(), await reader.readHeader()]).toEqual([2, "two"]);
    for (const one of [store, reader, writer]) await one.close();
    const again = await reopen();
    expect([await again.layout(), await again.versions(ID_B)]).toEqual([2, versionsOf(ID_B, 2)]);
    await again.close();
  });

  it("what another opening deletes in a store of version 1 is seen immediately", async () => {
    const { store, reopen } = await openVersion1({ header: "one", secrets: SECRETS });
    if (reopen === null) return await store.close();
    const other = await reopen();
    expect(short(await other.list())).toBe("A5 C1");
    await store.delete(ID_A, LATER);
    expect(await other.get(A)).toBe(null);
    await other.purge(ID_C);
    expect(short(await store.list())).toBe("");
    for (const one of [store, other]) await one.close();
  });

  it("of many that upgrade at once exactly one does", async () => {
    const { store, reopen } = await openVersion1({ header: "one", secrets: SECRETS });
    const others = reopen === null ? [] : await Promise.all([reopen(), reopen(), reopen()]);
    const all = [store, store, ...others];
    const outcomes = await Promise.all(all.map((one, index) => one.upgrade(`by ${index}`, "one", authenticate)));
    expect(outcomes.filter(Boolean).length).toBe(1);
    expect(await store.readHeader()).toBe(`by ${outcomes.indexOf(true)}`);
    for (const one of all) expect(await one.versions(ID_A)).toEqual(versionsOf(ID_A, 2));
    for (const one of all) await one.close();
  });
}

const CONTENT: Version1Content = {
  header: "one",
  secrets: [sampleSecret("A"), sampleSecret("A", { version: 2 }), sampleSecret("B")],
};
const mac = () => "c0ffee00:mac";

type Make = (path: string, content: Version1Content) => Promise<void>;

/** Tests which files of layout 1 remain after an upgrade. */
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
      await expect(store.bulkInsert([[sampleSecret("C")]])).rejects.toMatchObject(UNAVAILABLE);
      expect(await store.anchors()).toEqual([]);
      expect(await store.exclusively(async () => short(await store.list()))).toBe("A2 B1");
    });
    expect([await layoutAt(tools, path), await layoutAt(tools, copied)]).toEqual([1, 1]);
    expect(await contentAt(tools, copied)).toEqual(await contentAt(tools, path));
  });
}
