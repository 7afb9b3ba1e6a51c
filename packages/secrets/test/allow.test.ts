import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SecretMetadata, SecretService } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import {
  backUpStore,
  importSecrets,
  migrateStore,
  readDotenv,
  restoreBackup,
  rotateKeys,
  type SecretsOptions,
} from "../src/index.ts";
import { apiKey, use } from "./attacked-place.ts";

const ALLOW = { workflows: ["deploy"], hosts: ["api.example.com"] };
const POLICY = '{"workflows":["deploy"],"hosts":["api.example.com"]}';

describe.each(["sqlite", "file"] as const)("who may use a secret, %s store", (backend) => {
  let root: string;
  let options: SecretsOptions;

  beforeEach(() => {
    root = temporaryFolder();
    options = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets"), backend };
  });

  const withSecrets = async <T>(work: (secrets: SecretService) => Promise<T>, more: Partial<SecretsOptions> = {}) =>
    await use({ ...options, ...more }, async ({ secrets }) => await work(secrets));

  /** All versions can be read, under one policy, which is verified. */
  async function expectPolicy(secrets: SecretService, name: string, policy: string | null, values: readonly string[]) {
    expect((await secrets.listVerified()).secrets.find((one) => one.name === name)?.policy).toBe(policy);
    const versions = await secrets.versions(name);
    const read = await Promise.all(
      versions.map(async ({ version }) => (await secrets.get(name, { atVersion: version })).fields["value"]),
    );
    expect(read).toEqual(values);
    expect(versions.map((version) => version.policy)).toEqual(values.map(() => policy));
  }

  it("stays with new values, edits, renames, rollbacks, deletion, imports", async () => {
    await withSecrets(async (secrets) => {
      await secrets.create({ ...apiKey("A", "a1"), allow: ALLOW });
      await secrets.set(apiKey("A", "a2"));
      await secrets.setValue("A", "a3");
      await secrets.edit("A", { description: "new" });
      await secrets.rename("A", "B");
      await expectPolicy(secrets, "B", POLICY, ["a3", "a2", "a1"]);
      await secrets.rollback("B", 1);
      const imported = await importSecrets(secrets, readDotenv("B=i1-value\n"), {
        onConflict: "overwrite",
        rename: false,
        dryRun: false,
      });
      expect(imported.imported).toBe(1);
      await secrets.setAll([apiKey("B", "a5")]);
      await secrets.delete("B");
      await secrets.restore("B");
      await expectPolicy(secrets, "B", POLICY, ["a5", "i1-value", "a1", "a3", "a2", "a1"]);
      await secrets.delete("B");
      await secrets.set(apiKey("B", "other"));
      await expectPolicy(secrets, "B", null, ["other"]);
    });
  });

  it.each([
    ["alone", {}, ["a2", "a1"], 3],
    ["with a new value", { value: "a3" }, ["a3", "a2", "a1"], 3],
    ["with a description", { description: "new" }, ["a2", "a1"], 3],
  ])("is changed with the name in one step, %s", async (_, more, values, revision) => {
    await withSecrets(async (secrets) => {
      await secrets.set(apiKey("A", "a1"));
      await secrets.set(apiKey("A", "a2"));
      expect(await secrets.rename("A", "B", {}, { ...more, allow: ALLOW })).toMatchObject({ revision, policy: POLICY });
      await expectPolicy(secrets, "B", POLICY, values);
    });
  });

  it("is changed for all versions, by an edit and by a new value; a rollback has that of today", async () => {
    await withSecrets(async (secrets) => {
      await secrets.set(apiKey("A", "a1"));
      await secrets.set(apiKey("A", "a2"));
      expect(await secrets.edit("A", { allow: ALLOW })).toMatchObject({ version: 2, revision: 3, policy: POLICY });
      await expectPolicy(secrets, "A", POLICY, ["a2", "a1"]);
      await secrets.set({ ...apiKey("A", "a3"), allow: { hosts: [] } }, { ifVersion: 2, ifRevision: 3 });
      // One transaction, so one revision.
      expect((await secrets.describe("A")).metadata).toMatchObject({ version: 3, revision: 4 });
      await expectPolicy(secrets, "A", '{"workflows":["deploy"]}', ["a3", "a2", "a1"]);
      await secrets.setValue("A", "a4", { allow: { workflows: ["x"] } });
      await expectPolicy(secrets, "A", '{"workflows":["x"]}', ["a4", "a3", "a2", "a1"]);
      await secrets.rollback("A", 1);
      await expectPolicy(secrets, "A", '{"workflows":["x"]}', ["a1", "a4", "a3", "a2", "a1"]);
      await secrets.edit("A", { allow: null });
      await expectPolicy(secrets, "A", null, ["a1", "a4", "a3", "a2", "a1"]);
    });
  });

  it("is not changed where a condition or the value is refused", async () => {
    await withSecrets(async (secrets) => {
      await secrets.set({ ...apiKey("A", "a1"), allow: ALLOW });
      const change = { ...apiKey("A", "a2"), allow: null };
      await expect(secrets.set(change, { ifVersion: 7 })).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
      await expect(secrets.set(change, { ifRevision: 7 })).rejects.toMatchObject({ code: "VERSION_CONFLICT" });
      await expect(secrets.set({ ...change, fields: { value: "" } })).rejects.toMatchObject({ code: "VALUE_EMPTY" });
      await expect(secrets.set({ ...change, publicFields: ["x"] })).rejects.toMatchObject({ code: "FIELD_NOT_FOUND" });
      await expect(secrets.setValue("A", "a2", { allow: { hosts: ["a b"] } })).rejects.toMatchObject({
        code: "VALUE_INVALID",
      });
      await expectPolicy(secrets, "A", POLICY, ["a1"]);
    });
  });

  it("is changed for one secret at a time, and stays with others otherwise", async () => {
    await withSecrets(async (secrets) => {
      await secrets.set({ ...apiKey("A", "a1"), allow: ALLOW });
      await secrets.setAll([
        { ...apiKey("A", "a2"), allow: ALLOW },
        { ...apiKey("B", "b1"), allow: ALLOW },
      ]);
      await expectPolicy(secrets, "A", POLICY, ["a2", "a1"]);
      await expect(secrets.setAll([{ ...apiKey("A", "a3"), allow: null }, apiKey("C", "c1")])).rejects.toMatchObject({
        code: "VALUE_INVALID",
      });
      await expectPolicy(secrets, "A", POLICY, ["a2", "a1"]);
      expect(await secrets.find("C")).toBe(null);
    });
  });

  it("of two who change it at once, one wins, and every version stays readable", async () => {
    await withSecrets(async (secrets) => {
      for (const value of ["a1", "a2"]) await secrets.set(apiKey("A", value));
      await Promise.all([
        ...["x", "y", "z"].map(async (id) => await secrets.edit("A", { allow: { workflows: [id] } })),
        ...["a3", "a4"].map(
          async (value) => await secrets.set({ ...apiKey("A", value), allow: { workflows: [value] } }),
        ),
        secrets.edit("A", { addTags: ["t"] }),
        secrets.set(apiKey("A", "a5")),
      ]);
      const versions = await secrets.versions("A");
      expect(versions).toHaveLength(5);
      for (const { version, policy } of versions) {
        expect((await secrets.get("A", { atVersion: version })).metadata.policy).toBe(policy);
        expect(policy).toMatch(/^\{"workflows":\["(?:x|y|z|a3|a4)"\]\}$/);
      }
    });
  });

  it("survives rotation, backup, restore-backup and migration", async () => {
    await withSecrets(async (secrets) => {
      await secrets.set({ ...apiKey("A", "a1"), allow: ALLOW });
      await secrets.set(apiKey("A", "a2"));
    });
    await rotateKeys(options, {});
    await rotateKeys(options, { dataKey: true });
    const backup = join(root, "backup");
    await backUpStore(options, backup);
    await withSecrets(async (secrets) => {
      await secrets.edit("A", { allow: null });
    });
    await restoreBackup(options, backup);
    await withSecrets(async (secrets) => await expectPolicy(secrets, "A", POLICY, ["a2", "a1"]));
    const to = backend === "sqlite" ? "file" : "sqlite";
    await migrateStore(options, to);
    await withSecrets(async (secrets) => await expectPolicy(secrets, "A", POLICY, ["a2", "a1"]), { backend: to });
  });

  const CHANGES: readonly (readonly [string, string | null])[] = [
    ["dropped", null],
    ["widened", '{"workflows":["deploy","evil"],"hosts":["api.example.com"]}'],
    ["spelled otherwise", '{"workflows":["deploy"], "hosts":["api.example.com"]}'],
    ["emptied", "{}"],
    ["taken from another secret", '{"hosts":["b.example"]}'],
  ];

  it.each(CHANGES)("a rule that is %s in the stored row is found", async (_, policy) => {
    await withSecrets(async (secrets) => {
      await secrets.set({ ...apiKey("A", "a1"), allow: ALLOW });
      await secrets.set(apiKey("A", "a2"));
      await secrets.set({ ...apiKey("B", "b"), allow: { hosts: ["b.example"] } });
    });
    const path = join(String(options.storagePath), backend === "sqlite" ? "secrets.db" : "secrets.json");
    if (backend === "sqlite") {
      const database = openDatabase(path);
      database.prepare("UPDATE secret_versions SET policy = ? WHERE name = 'A' AND is_current = 1").run(policy);
      database.close();
    } else {
      const text = await readFile(path, "utf8");
      const changed = text.replace(JSON.stringify(POLICY), JSON.stringify(policy));
      expect(changed).not.toBe(text);
      await writeFile(path, changed);
    }
    const failed = { code: "INTEGRITY_FAILED" };
    await withSecrets(async (secrets) => {
      await expect(secrets.get("A")).rejects.toMatchObject(failed);
      await expect(secrets.get("A", { atVersion: 1 })).rejects.toMatchObject(failed);
      await expect(secrets.set(apiKey("A", "a3"))).rejects.toMatchObject(failed);
      await expect(secrets.set({ ...apiKey("A", "a3"), allow: ALLOW })).rejects.toMatchObject(failed);
      await expect(secrets.edit("A", { allow: ALLOW })).rejects.toMatchObject(failed);
      await expect(secrets.rename("A", "C")).rejects.toMatchObject(failed);
      await expect(secrets.rollback("A", 1)).rejects.toMatchObject(failed);
      expect((await secrets.listVerified()).secrets.map(({ name }: SecretMetadata) => name)).toEqual(["B"]);
      expect((await secrets.get("B")).fields).toEqual({ value: "b" });
    });
  });
});
