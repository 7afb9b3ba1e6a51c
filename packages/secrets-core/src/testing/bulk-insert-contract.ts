import type { SecretName } from "../secret-name.ts";
import type { BulkInsert, SecretStore } from "../secret-store.ts";
import {
  type AbilityContractOptions,
  abilityTest,
  B,
  contentOf,
  DELETED,
  ID_A,
  ID_B,
  LATER,
  OTHER_ID,
  older,
  putSecret,
  short,
  UNAVAILABLE,
  versionsOfA,
  wholeContentOf,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";

type Store = SecretStore & BulkInsert;

/** Registers one test for each promise of {@link BulkInsert}, in addition to those of `secretStoreContract`. */
export function bulkInsertContract(options: AbilityContractOptions<Store>): void {
  const tools = { expect: options.expect, test: abilityTest(options) };
  fillContract(tools);
  refusalContract(tools);
}

interface Tools {
  readonly expect: AbilityContractOptions<Store>["expect"];
  readonly test: ReturnType<typeof abilityTest<Store>>;
}

function fillContract({ expect, test }: Tools): void {
  test("bulkInsert fills a store with whole secrets, deleted ones too, however many versions they have", async (store, reopen) => {
    const versions = (name: string, count: number, deletedAt: string | null, id = sampleId(name)) =>
      Array.from({ length: count }, (_, index) => sampleSecret(name, { version: index + 3, deletedAt, id }));
    const all = [
      versions("B", 12, null),
      versions("A", 2, DELETED),
      versions("A", 1, LATER, OTHER_ID),
      versions("C", 1, null),
    ];
    await store.bulkInsert(all);
    await store.bulkInsert([]);
    for (const one of all) {
      const [newest, ...rest] = one.toReversed();
      if (newest === undefined) continue;
      expect(await store.versions(newest.metadata.id)).toEqual([
        newest,
        ...rest.map((before) => older(before, newest)),
      ]);
    }
    expect(short(await store.list())).toBe("B14 C3");
    expect((await store.list({ state: "deleted" })).map(({ id }) => id)).toEqual([ID_A, OTHER_ID].sort());
    await putSecret(store, sampleSecret("A", { id: "5f2b1a0e-0000-4000-8000-000000000001" }));
    await putSecret(store, sampleSecret("B", { version: 15 }), { id: ID_B, revision: 14 });
    expect((await store.versions(ID_B)).length).toBe(10);
    const content = await wholeContentOf(store);
    await store.close();
    if (reopen === null) return;
    const again = await reopen();
    expect(await wholeContentOf(again)).toEqual(content);
    await again.close();
  });

  test("bulkInsert says of a whole secret what its last version says", async (store) => {
    const current = sampleSecret("A", { version: 2, revision: 9, deletedAt: DELETED, importedId: 3, policy: "{}" });
    await store.bulkInsert([[sampleSecret("A", { deletedAt: LATER, importedId: 1 }), current]]);
    expect(await store.versions(ID_A)).toEqual([current, older(sampleSecret("A"), current)]);
  });
}

function refusalContract({ expect, test }: Tools): void {
  test("bulkInsert takes all or nothing, and replaces nothing", async (store) => {
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
      ["VALUE_INVALID", versionsOfA([2, 1], { id: OTHER_ID, name: metadata.name })],
      ["VALUE_INVALID", [sampleSecret("C"), sampleSecret("C", { version: 2, id: OTHER_ID })]],
      ["VALUE_INVALID", [sampleSecret("C"), sampleSecret("C", { version: 2, name: B })]],
    ] as const;
    for (const [index, [code, versions]] of refused.entries()) {
      const outcome = await store.bulkInsert([[sampleSecret("A")], versions]).then(
        () => null,
        (error: { code?: unknown }) => error.code,
      );
      expect({ index, code: outcome }).toEqual({ index, code });
      expect(await contentOf(store)).toEqual(content);
    }
  });

  test("a closed store inserts nothing", async (store) => {
    await store.close();
    await expect(store.bulkInsert([])).rejects.toMatchObject(UNAVAILABLE);
  });
}
