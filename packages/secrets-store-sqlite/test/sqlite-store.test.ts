import { copyFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import {
  bulkInsertContract,
  exclusiveLockContract,
  fileBackupContract,
  putSecret,
  sampleId,
  sampleSecret,
  secretStoreContract,
} from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { contentOf } from "./folder-content.ts";
import { makeVersion1 } from "./version-1-database.ts";

secretStoreContract({
  it,
  expect,
  open: async () => {
    const path = join(temporaryFolder(), "secrets.db");
    return { store: await openSqliteStore(path), reopen: async () => await openSqliteStore(path) };
  },
  openVersion1: async (content) => {
    const path = join(temporaryFolder(), "secrets.db");
    makeVersion1(path, content);
    return { store: await openSqliteStore(path), reopen: async () => await openSqliteStore(path) };
  },
});

/** An empty store that waits for others only briefly. */
async function openBriefly() {
  const path = join(temporaryFolder(), "secrets.db");
  const open = async () => await openSqliteStore(path, { busyTimeoutMs: 50 });
  return { store: await open(), reopen: open };
}

bulkInsertContract({ it, expect, open: openBriefly });
exclusiveLockContract({ it, expect, open: openBriefly });
fileBackupContract({
  it,
  expect,
  newPath: () => join(temporaryFolder(), "secrets.db"),
  open: async (path, options) => await openSqliteStore(path, { busyTimeoutMs: 50, ...options }),
  copy: copyFile,
  write: writeFile,
  move: rename,
  makeVersion1: async (path, content) => makeVersion1(path, content),
});

describe("the bytes of a ciphertext", () => {
  const CANARY = "canary-7b1f7b1e2c";
  const A = parseSecretName("A");
  const ID = sampleId("A");

  /** A store that holds the canary, in one piece or over many pages. */
  async function storeWithCanary(repeat: number) {
    const folder = temporaryFolder();
    const store = await openSqliteStore(join(folder, "secrets.db"));
    const { metadata, envelope, mac } = sampleSecret("A");
    const ciphertext = Buffer.from(CANARY.repeat(repeat));
    await putSecret(store, { metadata, envelope: { ...envelope, ciphertext }, mac });
    return { folder, store };
  }

  it.each([1, 5000])("are on the disk after put, or this test proves nothing (%i)", async (repeat) => {
    const { folder, store } = await storeWithCanary(repeat);
    await store.close();
    expect(contentOf(folder).includes(CANARY)).toBe(true);
  });

  it.each([1, 5000])("are gone from database and WAL after purge, with the store still open (%i)", async (repeat) => {
    const { folder, store } = await storeWithCanary(repeat);
    await putSecret(store, sampleSecret("B"));
    await store.purge(ID);
    expect(contentOf(folder).includes(CANARY)).toBe(false);
    await store.close();
  });

  it.each([1, 5000])("are gone after purgeDeleted, with the store still open (%i)", async (repeat) => {
    const { folder, store } = await storeWithCanary(repeat);
    await store.delete(ID, "2026-02-01T00:00:00.000Z");
    expect(contentOf(folder).includes(CANARY)).toBe(true);
    await store.purgeDeleted("2026-03-01T00:00:00.000Z");
    expect(contentOf(folder).includes(CANARY)).toBe(false);
    await store.close();
  });

  it.each([1, 5000])("are gone after as many versions as are kept, and closing (%i)", async (repeat) => {
    const { folder, store } = await storeWithCanary(repeat);
    await store.put([{ secret: sampleSecret("A", { version: 2 }), expected: { id: ID, revision: 1 } }], null, {
      maxVersions: 1,
    });
    await store.close();
    expect(contentOf(folder).includes(CANARY)).toBe(false);
  });

  it("are gone although another opening of the store stays open", async () => {
    const { folder, store } = await storeWithCanary(1);
    const other = await openSqliteStore(join(folder, "secrets.db"));
    await other.get(A);
    await store.purge(ID);
    await store.close();
    expect(contentOf(folder).includes(CANARY)).toBe(false);
    await other.close();
  });
});
