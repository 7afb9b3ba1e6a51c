import { createMemoryStore, createSecretService, type SecretService } from "@autokestra/secrets-core";
import { createKeyManager, createMasterKeyProvider, createSecretEncryption } from "@autokestra/secrets-crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type ImportSecretsOptions, importSecrets, readDotenv, readJson } from "../../src/index.ts";

const options: ImportSecretsOptions = { onConflict: "fail", rename: false, dryRun: false };
let secrets: SecretService;

beforeEach(() => {
  const env = { AUTOKESTRA_SECRET_KEY: "0123456789abcdef".repeat(4) };
  const provider = createMasterKeyProvider({ env, keyFolder: null });
  const store = createMemoryStore();
  secrets = createSecretService({
    store,
    encryption: createSecretEncryption(createKeyManager(store, provider)),
    now: () => "2026-01-01T00:00:00.000Z",
    newId: () => crypto.randomUUID(),
  });
});

describe("importSecrets", () => {
  it("writes all entries, and nothing when it runs again", async () => {
    const entries = readDotenv("A=one-value\nB='two values'\n");
    expect(await importSecrets(secrets, entries, options)).toEqual({
      total: 2,
      imported: 2,
      skipped: 0,
      failed: [],
      warnings: [],
      renamed: [],
    });
    expect((await secrets.get("B")).fields).toEqual({ value: "two values" });
    expect(await importSecrets(secrets, entries, options)).toMatchObject({ imported: 0, skipped: 2 });
    expect((await secrets.list()).map(({ version }) => version)).toEqual([1, 1]);
  });

  it("writes nothing where one entry fails, and on a dry run", async () => {
    await secrets.set({ name: "B", type: "apiKey", fields: { value: "another" } });
    const entries = readJson('{"A": "one-value", "B": "s3cret-two"}');
    const outcome = await importSecrets(secrets, entries, options);
    expect(outcome).toMatchObject({ imported: 0, failed: [{ name: "B" }] });
    expect(JSON.stringify(outcome)).not.toContain("s3cret");
    expect(await importSecrets(secrets, entries, { ...options, onConflict: "overwrite", dryRun: true })).toMatchObject({
      imported: 2,
    });
    expect((await secrets.list()).map(({ name }) => name)).toEqual(["B"]);
  });

  it("overwrites or skips what is stored with another value", async () => {
    await secrets.set({ name: "B", type: "apiKey", fields: { value: "another" } });
    const entries = readJson('{"A": "one-value", "B": "two-value"}');
    expect(await importSecrets(secrets, entries, { ...options, onConflict: "skip" })).toMatchObject({
      imported: 1,
      skipped: 1,
    });
    expect((await secrets.get("B")).fields).toEqual({ value: "another" });
    expect(await importSecrets(secrets, entries, { ...options, onConflict: "overwrite" })).toMatchObject({
      imported: 1,
      skipped: 1,
    });
    expect(await secrets.get("B")).toMatchObject({ metadata: { version: 2 }, fields: { value: "two-value" } });
  });

  it("keeps the times of new secrets, and renames where it is told to", async () => {
    const createdAt = "2020-01-02T03:04:05.000Z";
    const entry = {
      name: "my key!",
      type: "apiKey" as const,
      fields: { value: "v-1" },
      createdAt,
      updatedAt: createdAt,
    };
    const outcome = await importSecrets(secrets, [entry], { ...options, rename: true });
    expect(outcome.renamed).toEqual([{ from: "my key!", to: "my_key" }]);
    expect(await secrets.find("my_key")).toMatchObject({ createdAt, updatedAt: createdAt });
  });

  it.each(["fail", "skip", "overwrite"] as const)(
    "K11: makes a new secret of a deleted name with %s, as the dry run says",
    async (onConflict) => {
      const before = await secrets.set({ name: "A", type: "apiKey", fields: { value: "old" } });
      await secrets.delete("A");
      const entries = readJson('{"A": "one-value"}');
      const dry = await importSecrets(secrets, entries, { ...options, onConflict, dryRun: true });
      expect(dry).toMatchObject({ imported: 1, skipped: 0, failed: [] });
      expect(await importSecrets(secrets, entries, { ...options, onConflict })).toEqual(dry);
      const { metadata, fields } = await secrets.get("A");
      expect({ version: metadata.version, fields }).toEqual({ version: 1, fields: { value: "one-value" } });
      expect(metadata.id).not.toBe(before.id);
    },
  );
});
