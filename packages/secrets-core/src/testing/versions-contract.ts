import {
  A,
  B,
  type ContractTools,
  DELETED,
  LATER,
  OTHER_ID,
  putVersions,
  refusal,
  short,
  versionsOf,
} from "./contract-tools.ts";
import { putSecret } from "./put-secret.ts";
import { sampleSecret } from "./sample-secret.ts";

/** What a store keeps of versions, and of what was deleted. */
export function versionsContract({ test, expect }: ContractTools): void {
  test("history has every version, the newest first, each as it was put", async (store) => {
    await putVersions(store, 3);
    expect(await store.history(A)).toEqual([3, 2, 1].map((version) => sampleSecret("A", { version })));
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 3 }));
    expect(await store.history(B)).toEqual([]);
    expect(short(await store.list())).toBe("A3");
  });

  test("put keeps the newest versions, ten unless told", async (store) => {
    await putVersions(store, 12);
    expect(await versionsOf(store)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
    await store.put([{ secret: sampleSecret("A", { version: 13 }), expectedVersion: 12 }], null, { keepVersions: 2 });
    expect(await versionsOf(store)).toEqual([13, 12]);
    await store.put([{ secret: sampleSecret("A", { version: 14 }), expectedVersion: 13 }], null, { keepVersions: 1 });
    expect(await versionsOf(store)).toEqual([14]);
  });

  test("put refuses a version that does not come after the one before it", async (store) => {
    await putVersions(store, 2);
    expect(await refusal(putSecret(store, sampleSecret("A", { version: 2 }), 2))).toBe("VALUE_INVALID");
    expect(await versionsOf(store)).toEqual([2, 1]);
  });

  test("delete hides a secret with its versions, restore brings them back", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("B"));
    expect(await store.restore(A)).toBe(false);
    expect(await store.delete(A, DELETED)).toBe(true);
    expect(await store.delete(A, LATER)).toBe(false);
    expect(short(await store.list())).toBe("B1");
    expect(short(await store.list({ state: "deleted" }))).toBe("A2");
    expect(short(await store.list({ state: "all" }))).toBe("A2 B1");
    expect(await store.names()).toEqual(["A", "B"]);
    expect(short(await store.list({ state: "all", deletedSince: LATER }))).toBe("B1");
    expect(short(await store.list({ state: "deleted", deletedSince: LATER }))).toBe("");
    expect(short(await store.list({ state: "deleted", deletedSince: DELETED }))).toBe("A2");
    expect((await store.get(A))?.metadata).toEqual(sampleSecret("A", { version: 2, deletedAt: DELETED }).metadata);
    expect((await store.history(A)).map(({ metadata }) => metadata.deletedAt)).toEqual([DELETED, DELETED]);
    expect(await store.restore(A)).toBe(true);
    expect(await store.history(A)).toEqual([2, 1].map((version) => sampleSecret("A", { version })));
    expect(await store.restore(B)).toBe(false);
  });

  test("the name of a deleted secret is taken, and a new version puts it back into use", async (store) => {
    await putVersions(store, 1);
    await store.delete(A, DELETED);
    await expect(putSecret(store, sampleSecret("A", { id: OTHER_ID }))).rejects.toMatchObject({
      code: "SECRET_EXISTS",
    });
    const next = { secret: sampleSecret("A", { version: 2, deletedAt: DELETED }), expectedVersion: 1 };
    await expect(store.put([next], null)).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
    expect(short(await store.list())).toBe("");
    await store.put([{ ...next, mayBeDeleted: true }], null);
    expect(await store.history(A)).toEqual([2, 1].map((version) => sampleSecret("A", { version })));
    expect(short(await store.list())).toBe("A2");
  });

  test("purge removes a secret with all versions, deleted or not, and its name is free again", async (store) => {
    await putVersions(store, 2);
    await putSecret(store, sampleSecret("B"));
    await store.delete(B, DELETED);
    for (const name of [A, B]) {
      expect(await store.purge(name)).toBe(true);
      expect(await store.purge(name)).toBe(false);
      expect(await store.get(name)).toBe(null);
      expect(await store.history(name)).toEqual([]);
    }
    expect(await store.list({ state: "all" })).toEqual([]);
    await putSecret(store, sampleSecret("A", { id: OTHER_ID }));
    expect((await store.history(A)).map(({ metadata }) => metadata.id)).toEqual([OTHER_ID]);
  });

  test("purgeDeleted removes what was deleted before a moment, and nothing that is in use", async (store) => {
    for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name));
    await store.delete(A, DELETED);
    await store.delete(B, LATER);
    expect(await store.purgeDeleted(DELETED)).toBe(0);
    expect(await store.purgeDeleted(LATER)).toBe(1);
    expect(short(await store.list({ state: "all" }))).toBe("B1 C1");
    expect(await store.history(A)).toEqual([]);
  });
}
