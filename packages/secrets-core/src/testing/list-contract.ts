import type { SecretMetadata } from "../secret.ts";
import type { SecretStore } from "../secret-store.ts";
import {
  type ContractTools,
  DELETED,
  ID_A,
  ID_B,
  LATER,
  LEAST_ID,
  OTHER_ID,
  putSecret,
  short,
} from "./contract-tools.ts";
import { sampleId, sampleSecret } from "./sample-secret.ts";

/** Tests what a store lists, by filter and by page. */
export function listContract(tools: ContractTools): void {
  filterContract(tools);
  readerContract(tools);
  pageContract(tools);
  idsContract(tools);
}

function filterContract({ test, expect }: ContractTools): void {
  test("list returns metadata in the order of the names", async (store) => {
    for (const name of ["b", "B", "a", "A", "_", "-", "1"]) await putSecret(store, sampleSecret(name));
    const listed = await store.list();
    expect(listed.map((metadata) => metadata.name)).toEqual(["-", "1", "A", "B", "_", "a", "b"]);
    expect(listed[2]).toEqual(sampleSecret("A").metadata);
  });

  test("list filters by type and by tags, all of which must be there", async (store) => {
    const secrets: [string, Partial<SecretMetadata>][] = [
      ["A", { tags: ["x", "y"] }],
      ["B", { tags: ["x"], type: "custom" }],
      ["C", { tags: ["xy", 'x","y'] }],
      ["D", {}],
    ];
    for (const [name, changes] of secrets) await putSecret(store, sampleSecret(name, changes));
    const names = async (filter: Parameters<SecretStore["list"]>[0]) =>
      (await store.list(filter)).map((metadata) => metadata.name).join("");
    expect(await names({})).toBe("ABCD");
    expect(await names({ tags: ["x"] })).toBe("AB");
    expect(await names({ tags: ["x", "y"] })).toBe("A");
    expect(await names({ tags: ["x"], type: "custom" })).toBe("B");
    expect(await names({ type: "apiKey" })).toBe("ACD");
    expect(await names({ tags: ["%"] })).toBe("");
  });

  test("list filters by the name, by how it begins, and by expiry", async (store) => {
    const expiresAt = (year: number) => ({ expiresAt: `${year}-01-01T00:00:00.000Z` });
    await putSecret(store, sampleSecret("DB_A", expiresAt(2027)));
    await putSecret(store, sampleSecret("DB_B"));
    await putSecret(store, sampleSecret("db_c", expiresAt(2028)));
    await putSecret(store, sampleSecret("DBX"));
    expect(short(await store.list({ prefix: "DB_" }))).toBe("DB_A1 DB_B1");
    expect(short(await store.list({ prefix: "DB_%" }))).toBe("");
    expect(short(await store.list({ prefix: "DB_A_" }))).toBe("");
    expect(short(await store.list({ name: "DB_A" }))).toBe("DB_A1");
    expect(short(await store.list({ name: "DB_" }))).toBe("");
    expect(short(await store.list({ name: "DB_A", prefix: "DBX" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.000Z" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.001Z" }))).toBe("DB_A1");
    expect(short(await store.list({ expiresBefore: "2030-01-01T00:00:00.000Z", prefix: "d" }))).toBe("db_c1");
  });
}

/** What is asked for readers who may not see every secret. */
function readerContract({ test, expect }: ContractTools): void {
  test("list filters by ids, and by what a reader may see", async (store) => {
    await putSecret(store, sampleSecret("DB_A", { tags: ["x"], importedId: 7 }));
    await putSecret(store, sampleSecret("DB_B", { tags: ["y", 'x","y'] }));
    await putSecret(store, sampleSecret("WEB"));
    const id = sampleId("DB_A");
    expect(short(await store.list({ id }))).toBe("DB_A1");
    expect(short(await store.list({ id: LEAST_ID }))).toBe("");
    expect(short(await store.list({ importedId: 7 }))).toBe("DB_A1");
    expect(short(await store.list({ importedId: 8 }))).toBe("");
    expect(short(await store.list({ anyPrefix: ["W", "DB_A"] }))).toBe("DB_A1 WEB1");
    expect(short(await store.list({ anyPrefix: ["DB%", "db"] }))).toBe("");
    expect(short(await store.list({ anyPrefix: [""] }))).toBe("DB_A1 DB_B1 WEB1");
    expect(short(await store.list({ anyPrefix: [] }))).toBe("");
    expect(short(await store.list({ anyTag: ["y", "x"] }))).toBe("DB_A1 DB_B1");
    expect(short(await store.list({ anyTag: [] }))).toBe("");
    expect(short(await store.list({ id, anyPrefix: ["DB"], anyTag: ["y"] }))).toBe("");
    expect(short(await store.list({ name: "DB_B", anyPrefix: ["DB_A"] }))).toBe("");
    await store.delete(id, DELETED);
    expect(short(await store.list({ id }))).toBe("");
    expect(short(await store.list({ id, state: "deleted" }))).toBe("DB_A1");
    expect(short(await store.list({ importedId: 7, state: "all" }))).toBe("DB_A1");
  });

  test("count tells how many secrets pass a filter, on all pages", async (store) => {
    expect(await store.count()).toBe(0);
    for (const name of ["A", "B", "C"]) await putSecret(store, sampleSecret(name));
    expect(await store.count()).toBe(3);
    expect(await store.count({ prefix: "B" })).toBe(1);
    expect(await store.count({ anyPrefix: ["A", "B"], limit: 1, skip: 1, after: "A", afterId: ID_A })).toBe(2);
    await store.delete(sampleId("A"), DELETED);
    expect(await store.count({ state: "deleted" })).toBe(1);
    expect(await store.count({ state: "all" })).toBe(3);
  });
}

function pageContract({ test, expect }: ContractTools): void {
  test("list by pages: each starts after the last name, whatever came in between", async (store) => {
    for (const name of ["B", "D", "F", "H", "J"]) await putSecret(store, sampleSecret(name));
    expect(short(await store.list({ limit: 2 }))).toBe("B1 D1");
    await putSecret(store, sampleSecret("A"));
    await store.purge(sampleId("D"));
    expect(short(await store.list({ limit: 2, after: "D" }))).toBe("F1 H1");
    expect(short(await store.list({ limit: 2, after: "H" }))).toBe("J1");
    expect(short(await store.list({ limit: 2, after: "J" }))).toBe("");
    expect(short(await store.list({ limit: 0 }))).toBe("");
    expect(short(await store.list({ skip: 3 }))).toBe("H1 J1");
    expect(short(await store.list({ skip: 1, limit: 1, after: "A" }))).toBe("F1");
    expect(short(await store.list({ skip: 9, limit: 1 }))).toBe("");
    await store.delete(sampleId("F"), DELETED);
    expect(short(await store.list({ limit: 2, after: "B" }))).toBe("H1 J1");
    expect(short(await store.list({ limit: 1, after: "B", prefix: "J" }))).toBe("J1");
    expect(short(await store.list({ after: "J", prefix: "B" }))).toBe("");
  });

  test("list by pages: secrets of one name come in the order of their ids, and afterId divides them", async (store) => {
    for (const id of [OTHER_ID, ID_A, LEAST_ID]) {
      await putSecret(store, sampleSecret("A", { id }));
      await store.delete(id, id === ID_A ? LATER : DELETED);
    }
    await putSecret(store, sampleSecret("B"));
    const ids = async (filter: Parameters<SecretStore["list"]>[0]) =>
      (await store.list({ state: "all", ...filter })).map(({ id }) => id);
    expect(await ids({})).toEqual([LEAST_ID, ID_A, OTHER_ID, ID_B]);
    expect(await ids({ limit: 2 })).toEqual([LEAST_ID, ID_A]);
    expect(await ids({ limit: 2, after: "A", afterId: ID_A })).toEqual([OTHER_ID, ID_B]);
    expect(await ids({ after: "A", afterId: OTHER_ID })).toEqual([ID_B]);
    expect(await ids({ after: "A" })).toEqual([ID_B]);
    expect(await ids({ afterId: OTHER_ID })).toEqual([LEAST_ID, ID_A, OTHER_ID, ID_B]);
    expect(await ids({ after: "A", afterId: LEAST_ID, prefix: "A" })).toEqual([ID_A, OTHER_ID]);
    expect(await ids({ after: "A", afterId: LEAST_ID, prefix: "B" })).toEqual([ID_B]);
    expect(await ids({ after: "A", afterId: LEAST_ID, name: "A", state: "deleted" })).toEqual([ID_A, OTHER_ID]);
    expect(await ids({ after: "A", afterId: LEAST_ID, type: "apiKey", limit: 1 })).toEqual([ID_A]);
    expect(await ids({ name: "A", state: "deleted", retentionStart: LATER })).toEqual([ID_A]);
    expect(await ids({ name: "A", state: "active" })).toEqual([]);
  });
}

function idsContract({ test, expect }: ContractTools): void {
  test("ids come in their order, also those of deleted secrets, and by pages", async (store) => {
    for (const [name, id] of [
      ["A", OTHER_ID],
      ["B", LEAST_ID],
      ["C", ID_A],
    ] as const) {
      await putSecret(store, sampleSecret(name, { id }));
    }
    await store.delete(ID_A, DELETED);
    expect(await store.ids()).toEqual([LEAST_ID, ID_A, OTHER_ID]);
    expect(await store.ids({ limit: 2 })).toEqual([LEAST_ID, ID_A]);
    expect(await store.ids({ limit: 2, after: ID_A })).toEqual([OTHER_ID]);
    expect(await store.ids({ limit: 0 })).toEqual([]);
    expect(await store.ids({ name: "C" })).toEqual([ID_A]);
    await putSecret(store, sampleSecret("C", { id: ID_B }));
    expect(await store.ids({ name: "C" })).toEqual([ID_A, ID_B]);
    expect(await store.ids({ name: "C", after: ID_A, limit: 5 })).toEqual([ID_B]);
    expect(await store.ids({ name: "c" })).toEqual([]);
    await store.purge(ID_A);
    expect(await store.ids({ after: LEAST_ID })).toEqual([OTHER_ID, ID_B].toSorted());
  });
}
