import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { assert, asyncProperty } from "fast-check";
import { describe, expect, it } from "vitest";
import { anyEncryptedSecret } from "../../secrets-core/test/any-encrypted-secret.ts";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openSqliteStore } from "../src/index.ts";
import { ROWS, toEncryptedSecret, toRow, type VersionRow } from "../src/rows.ts";

it("what is written comes back, to the byte", async () => {
  const store = await openSqliteStore(join(temporaryFolder(), "secrets.db"));
  await assert(
    asyncProperty(anyEncryptedSecret, async (secret) => {
      await store.bulkInsert([[secret]]);
      expect(await store.get(secret.metadata.name)).toEqual(secret);
      await store.purge(secret.metadata.id);
    }),
  );
  await store.close();
});

/** A store with A and B, after this statement has changed A behind its back. */
async function tampered(sql: string) {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path);
  await putSecret(store, sampleSecret("A"));
  await putSecret(store, sampleSecret("B"));
  const database = openDatabase(path);
  database.exec(`UPDATE secret_versions SET ${sql} WHERE name = 'A'`);
  database.close();
  return store;
}

const damaged = { code: "STORE_CORRUPT", message: expect.stringContaining("Secret 'A' is damaged") };

describe("a row that no store has written", () => {
  it.each([
    "id = 'no uuid'",
    "type = 'password'",
    "tags = '{}'",
    "tags = '[1]'",
    "tags = 'not json'",
    "version = 0",
    "version = 9223372036854775807",
    "revision = 0",
    "revision = 9223372036854775807",
    "imported_id = -1",
    "created_at = 'yesterday'",
    "expires_at = ''",
    "description = char(10)",
  ])("is named by get and list, and the other secrets can be read: %s", async (sql) => {
    const store = await tampered(sql);
    await expect(store.get(parseSecretName("A"))).rejects.toMatchObject(damaged);
    await expect(store.list()).rejects.toMatchObject(damaged);
    expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
    const damagedId = (await store.ids()).find((id) => id !== sampleId("B")) ?? "";
    await expect(store.find(damagedId)).rejects.toMatchObject(damaged);
    await expect(store.versions(damagedId)).rejects.toMatchObject(damaged);
    expect(await store.purge(damagedId)).toBe(true);
    expect(await store.list()).toEqual([sampleSecret("B").metadata]);
    await store.close();
  });

  it("is found by its id where it was moved into another namespace", async () => {
    const store = await tampered("namespace = 'x'");
    expect(await store.ids()).toEqual([sampleId("A"), sampleId("B")].toSorted());
    await expect(store.find(sampleId("A"))).rejects.toMatchObject(damaged);
    await expect(store.versions(sampleId("A"))).rejects.toMatchObject(damaged);
    await store.close();
  });

  it("is listed with the others where only its envelope is damaged", async () => {
    const store = await tampered("format = -1");
    await expect(store.get(parseSecretName("A"))).rejects.toMatchObject(damaged);
    expect(await store.list()).toEqual([sampleSecret("A").metadata, sampleSecret("B").metadata]);
    await store.close();
  });

  it("is an error of the store, not an empty list, where a filter stumbles over it", async () => {
    const store = await tampered("tags = 'not json'");
    await expect(store.list({ tags: ["x"] })).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    await store.close();
  });
});

it("a column that holds another type than its own is damage, which names the secret", () => {
  const secret = sampleSecret("A");
  const [namespace, name, isCurrent, deletedAt, version, revision, id, ...rest] = toRow(secret, true);
  const row = [namespace, name, isCurrent, deletedAt, version, revision, id, ...rest] as unknown as VersionRow;
  expect(toEncryptedSecret(row, "secrets.db")).toEqual(secret);
  const first = ROWS.metadataColumns.length;
  for (const [index, wrong] of [1, "2", 3, "nonce", "tag", "ciphertext"].entries()) {
    const changed = row.with(first + index, wrong) as unknown as VersionRow;
    expect(() => toEncryptedSecret(changed, "secrets.db")).toThrow("Secret 'A' is damaged in \"secrets.db\"");
  }
  const short = row.slice(0, -1) as unknown as VersionRow;
  expect(() => toEncryptedSecret(short, "secrets.db")).toThrow("is damaged");
});
