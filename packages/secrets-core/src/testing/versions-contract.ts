import {
  A,
  B,
  type ContractTools,
  DELETED,
  ID_A,
  ID_B,
  LATER,
  OTHER_ID,
  putSecret,
  putVersions,
  refusal,
  short,
  versionsOf,
  versionsOfA,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";

/** Tests what a store keeps of older versions and deleted secrets. */
export function versionsContract(tools: ContractTools): void {
  allVersionsContract(tools);
  deleteContract(tools);
  purgeContract(tools);
}

function allVersionsContract({ test, expect }: ContractTools): void {
  test("versions has every version, the newest first, and the mac of the current one alone", async (store) => {
    await putVersions(store, 3);
    expect(await store.versions(ID_A)).toEqual(versionsOfA([3, 2, 1]));
    expect((await store.versions(ID_A)).map(({ mac }) => mac === null)).toEqual([false, true, true]);
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 3 }));
    expect(await store.find(ID_A)).toEqual(sampleSecret("A", { version: 3 }));
    expect(await store.versions(ID_B)).toEqual([]);
    expect(short(await store.list())).toBe("A3");
  });

  test("revision, policy and the imported number of older versions are those of the current one", async (store) => {
    await putSecret(store, sampleSecret("A", { importedId: 0, policy: "{}" }));
    const next = sampleSecret("A", { version: 2, revision: 7, importedId: 12, policy: '{"tags":["x"]}' });
    await putSecret(store, next, { id: ID_A, revision: 1 });
    const { importedId, policy, revision } = next.metadata;
    expect(await store.versions(ID_A)).toEqual([
      next,
      { ...sampleSecret("A", { importedId, policy, revision }), mac: null },
    ]);
  });

  test("put keeps the newest versions: ten by default", async (store) => {
    await putVersions(store, 12);
    expect(await versionsOf(store)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    const put = async (version: number, maxVersions: number) => {
      const expected = { id: ID_A, revision: version - 1 };
      await store.put([{ secret: sampleSecret("A", { version }), expected }], null, { maxVersions });
    };
    await put(13, 2);
    expect(await versionsOf(store)).toEqual([13, 12]);
    await put(14, 1);
    expect(await versionsOf(store)).toEqual([14]);
  });

  test("put refuses a version or a revision that does not come after the one before it", async (store) => {
    await putVersions(store, 2);
    const current = { id: ID_A, revision: 2 };
    const refused = [
      { version: 2, revision: 3 },
      { version: 3, revision: 2 },
    ];
    for (const changes of refused) {
      expect(await refusal(putSecret(store, sampleSecret("A", changes), current))).toBe("VALUE_INVALID");
    }
    expect(await store.versions(ID_A)).toEqual(versionsOfA([2, 1]));
  });
}

function deleteContract({ test, expect }: ContractTools): void {
  test("delete marks a secret with its versions, and it is found by its id alone", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("B"));
    expect(await store.delete(ID_A, DELETED)).toBe(true);
    expect(await store.delete(ID_A, LATER)).toBe(false);
    expect(await store.delete(OTHER_ID, LATER)).toBe(false);
    expect(short(await store.list())).toBe("B1");
    expect(short(await store.list({ state: "deleted" }))).toBe("A2");
    expect(short(await store.list({ state: "all" }))).toBe("A2 B1");
    expect(short(await store.list({ state: "all", retentionStart: LATER }))).toBe("B1");
    expect(short(await store.list({ state: "deleted", retentionStart: LATER }))).toBe("");
    expect(short(await store.list({ state: "deleted", retentionStart: DELETED }))).toBe("A2");
    expect(await store.get(A)).toBe(null);
    const { metadata, envelope, mac } = sampleSecret("A", { version: 2 });
    expect(await store.find(ID_A)).toEqual({ metadata: { ...metadata, deletedAt: DELETED }, envelope, mac });
    expect(await store.versions(ID_A)).toEqual(versionsOfA([2, 1], { deletedAt: DELETED }));
  });

  test("the name of a deleted secret is free, and a new one takes nothing from it", async (store) => {
    await putVersions(store, 2);
    await store.delete(ID_A, DELETED);
    const next = sampleSecret("A", { version: 3 });
    expect(await refusal(putSecret(store, next, { id: ID_A, revision: 2 }))).toBe("VERSION_CONFLICT");
    expect(await refusal(putSecret(store, sampleSecret("A", { version: 3 })))).toBe("SECRET_EXISTS");
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    expect(await store.get(A)).toEqual(sampleSecret("A", { id: OTHER_ID }));
    expect(await store.versions(OTHER_ID)).toEqual([sampleSecret("A", { id: OTHER_ID })]);
    expect(await store.versions(ID_A)).toEqual(versionsOfA([2, 1], { deletedAt: DELETED }));
    await store.delete(OTHER_ID, LATER);
    expect((await store.list({ state: "all" })).map(({ id }) => id)).toEqual([ID_A, OTHER_ID].sort());
    expect(await store.get(A)).toBe(null);
  });
}

function purgeContract({ test, expect }: ContractTools): void {
  test("purge removes a secret with all versions, deleted or not, and no other of its name", async (store) => {
    await putVersions(store, 2);
    await store.delete(ID_A, DELETED);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    await putSecret(store, sampleSecret("B"));
    for (const id of [ID_A, ID_B]) {
      expect(await store.purge(id)).toBe(true);
      expect(await store.purge(id)).toBe(false);
      expect(await store.find(id)).toBe(null);
      expect(await store.versions(id)).toEqual([]);
    }
    expect(await store.get(B)).toBe(null);
    expect(await store.list({ state: "all" })).toEqual([sampleSecret("A", { id: OTHER_ID }).metadata]);
    await store.delete(OTHER_ID, DELETED);
    await putVersions(store, 1);
    expect(await store.purge(ID_A, OTHER_ID, ID_B)).toBe(true);
    expect(await store.purge(ID_A, OTHER_ID)).toBe(false);
    expect(await store.ids()).toEqual([]);
    await putVersions(store, 1);
    expect(await store.versions(ID_A)).toEqual(versionsOfA([1]));
  });

  test("purgeDeleted removes what was deleted before a moment, and nothing that is not deleted", async (store) => {
    for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name));
    await store.delete(ID_A, DELETED);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    await store.delete(ID_B, LATER);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
    expect(await store.purgeDeleted(LATER)).toBe(1);
    expect((await store.list({ state: "all" })).map(({ id }) => id)).toEqual([OTHER_ID, ID_B, sampleId("C")]);
    expect(await store.versions(ID_A)).toEqual([]);
  });
}
