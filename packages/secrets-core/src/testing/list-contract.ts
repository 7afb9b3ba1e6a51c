import type { SecretMetadata } from "../secret.ts";
import { parseSecretName } from "../secret-name.ts";
import type { SecretStore } from "../secret-store.ts";
import { type ContractTools, DELETED, short } from "./contract-tools.ts";
import { putSecret } from "./put-secret.ts";
import { sampleSecret } from "./sample-secret.ts";

/** What a store lists, by filter and by page. */
export function listContract({ test, expect }: ContractTools): void {
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

  test("list filters by the beginning of the name, and by expiry", async (store) => {
    const expiresAt = (year: number) => ({ expiresAt: `${year}-01-01T00:00:00.000Z` });
    await putSecret(store, sampleSecret("DB_A", expiresAt(2027)));
    await putSecret(store, sampleSecret("DB_B"));
    await putSecret(store, sampleSecret("db_c", expiresAt(2028)));
    await putSecret(store, sampleSecret("DBX"));
    expect(short(await store.list({ prefix: "DB_" }))).toBe("DB_A1 DB_B1");
    expect(short(await store.list({ prefix: "DB_%" }))).toBe("");
    expect(short(await store.list({ prefix: "DB_A_" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.000Z" }))).toBe("");
    expect(short(await store.list({ expiresBefore: "2027-01-01T00:00:00.001Z" }))).toBe("DB_A1");
    expect(short(await store.list({ expiresBefore: "2030-01-01T00:00:00.000Z", prefix: "d" }))).toBe("db_c1");
  });

  test("list by pages: each goes on behind the last name, whatever came in between", async (store) => {
    for (const name of ["B", "D", "F", "H", "J"]) await putSecret(store, sampleSecret(name));
    expect(short(await store.list({ limit: 2 }))).toBe("B1 D1");
    await putSecret(store, sampleSecret("A"));
    await store.purge(parseSecretName("D"));
    expect(short(await store.list({ limit: 2, after: "D" }))).toBe("F1 H1");
    expect(short(await store.list({ limit: 2, after: "H" }))).toBe("J1");
    expect(short(await store.list({ limit: 2, after: "J" }))).toBe("");
    expect(short(await store.list({ limit: 0 }))).toBe("");
    expect(await store.names({ limit: 2 })).toEqual(["A", "B"]);
    expect(await store.names({ limit: 2, after: "B" })).toEqual(["F", "H"]);
    expect(await store.names({ after: "H" })).toEqual(["J"]);
    await store.delete(parseSecretName("F"), DELETED);
    expect(short(await store.list({ limit: 2, after: "B" }))).toBe("H1 J1");
    expect(short(await store.list({ limit: 1, after: "B", prefix: "J" }))).toBe("J1");
    expect(short(await store.list({ after: "J", prefix: "B" }))).toBe("");
  });
}
