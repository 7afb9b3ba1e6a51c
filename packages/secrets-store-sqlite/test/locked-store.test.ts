import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleId, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openSqliteStore } from "../src/index.ts";

/** A store, and another connection that keeps the write lock. */
async function lockedStore(busyTimeoutMs: number) {
  const path = join(temporaryFolder(), "secrets.db");
  const store = await openSqliteStore(path, { busyTimeoutMs });
  await putSecret(store, sampleSecret("A"));
  const other = openDatabase(path);
  other.exec("BEGIN IMMEDIATE");
  return { path, store, other };
}

it("a database that stays locked is an error that names it, and readers do not care", async () => {
  const { path, store, other } = await lockedStore(50);
  const locked = { code: "STORE_UNAVAILABLE", message: expect.stringMatching(/keeps it locked \(SQLITE_BUSY\)/) };
  await expect(putSecret(store, sampleSecret("B"))).rejects.toMatchObject(locked);
  await expect(store.purge(sampleId("A"))).rejects.toMatchObject(locked);
  await expect(store.writeHeader("one", null)).rejects.toMatchObject({ message: expect.stringContaining(path) });
  expect(await store.get(parseSecretName("A"))).toEqual(sampleSecret("A"));
  other.exec("COMMIT");
  await putSecret(store, sampleSecret("B"));
  other.close();
  await store.close();
});

it("a write waits until the lock is gone", async () => {
  const { store, other } = await lockedStore(20_000);
  const write = putSecret(store, sampleSecret("B"));
  setTimeout(() => other.exec("COMMIT"), 100);
  await write;
  expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
  other.close();
  await store.close();
});

it("a store that is closed while a write waits says so", async () => {
  const { store, other } = await lockedStore(20_000);
  const write = putSecret(store, sampleSecret("B"));
  await store.close();
  await expect(write).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", message: "The secret store is closed" });
  other.close();
});
