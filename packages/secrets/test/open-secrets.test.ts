import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SecretInput, SecretService } from "@autokestra/secrets-core";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import { openSecrets, type SecretsOptions } from "../src/index.ts";

const VALUE = "canary-7f3a9c1e5b8d";
let root: string;
let options: SecretsOptions & { storagePath: string };

beforeEach(() => {
  root = temporaryFolder();
  options = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets") };
});

function key(name: string, value = VALUE): SecretInput {
  return { name, type: "apiKey", fields: { value } };
}

async function use<T>(more: Partial<SecretsOptions>, work: (secrets: SecretService) => Promise<T>): Promise<T> {
  const secrets = await openSecrets({ ...options, ...more });
  try {
    return await work(secrets);
  } finally {
    await secrets.close();
  }
}

async function set(name: string, more: Partial<SecretsOptions> = {}): Promise<void> {
  await use(more, async (secrets) => await secrets.set(key(name)));
}

describe.each(["sqlite", "file"])("openSecrets with %s", (backend) => {
  it("keeps a secret over closing, sealed, private, with a key made on first use", async () => {
    await set("A", { backend });
    const value = await use({}, async (secrets) => (await secrets.get("A")).fields["value"]);
    expect(value).toBe(VALUE);
    for (const file of await readdir(options.storagePath)) {
      const path = join(options.storagePath, file);
      expect((await readFile(path)).includes(VALUE)).toBe(false);
      expect((await stat(path)).mode & 0o077).toBe(0);
    }
    expect((await stat(options.storagePath)).mode & 0o777).toBe(0o700);
    expect((await stat(join(root, "home/.autokestra/secret.key"))).mode & 0o777).toBe(0o600);
  });

  it("lists without a key, and opens nothing with another one", async () => {
    await set("A", { backend });
    const keyFile = join(root, "other.key");
    await writeFile(keyFile, `${"ab".repeat(31)}cd`, { mode: 0o600 });
    expect((await use({ keyFile }, async (secrets) => await secrets.list())).map(({ name }) => name)).toEqual(["A"]);
    await expect(use({ keyFile }, async (secrets) => await secrets.get("A"))).rejects.toMatchObject({
      code: "KEY_WRONG",
    });
    await expect(use({ keyFile }, async (secrets) => await secrets.set(key("B")))).rejects.toMatchObject({
      code: "KEY_WRONG",
    });
    expect(await use({}, async (secrets) => await secrets.list())).toHaveLength(1);
  });

  it("makes no new key where the old one is gone", async () => {
    await set("A", { backend });
    await rm(join(root, "home"), { recursive: true });
    await expect(set("B")).rejects.toMatchObject({ code: "KEY_MISSING" });
    await expect(stat(join(root, "home"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("creates nothing where it may only read", async () => {
    const listed = await use({ backend, create: false }, async (secrets) => await secrets.list());
    expect(listed).toEqual([]);
    expect(await readdir(root)).toEqual([]);
  });

  it.each([true, false])(
    "sees what another one stores first, where it was opened before (create: %s)",
    async (create) => {
      await use({ backend, create }, async (early) => {
        expect(await early.list()).toEqual([]);
        await set("A", { backend });
        expect((await early.get("A")).fields["value"]).toBe(VALUE);
        await early.set(key("B"));
      });
      expect(await use({}, async (secrets) => await secrets.list())).toHaveLength(2);
    },
  );

  it("tells nobody that something was stored where it may make no store", async () => {
    const writing = use({ backend, create: false }, async (secrets) => await secrets.set(key("A")));
    await expect(writing).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", details: { reason: "no store yet" } });
    await expect(stat(options.storagePath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is found again by itself, and refuses the other kind in the same folder", async () => {
    await set("A", { backend });
    await set("B");
    expect(await use({}, async (secrets) => await secrets.list())).toHaveLength(2);
    const other = backend === "sqlite" ? "file" : "sqlite";
    await expect(set("C", { backend: other })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("says what is broken instead of starting anew", async () => {
    await set("A", { backend });
    const file = join(options.storagePath, backend === "sqlite" ? "secrets.db" : "secrets.json");
    for (const content of ["", "not a store", "{}"]) {
      await writeFile(file, content);
      await expect(use({}, async (secrets) => await secrets.list())).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    }
  });
});

describe("openSecrets", () => {
  it("refuses a key file inside the secrets folder, also through a detour", async () => {
    for (const keyFile of [join(options.storagePath, "k"), join(options.storagePath, "deep", "..", "k")]) {
      await expect(set("A", { keyFile })).rejects.toMatchObject({ code: "KEY_UNREADABLE" });
    }
    await set("A", { keyFile: join(root, "secrets-key") });
  });

  it("takes place and backend from the environment, and the option before it", async () => {
    const env = {
      ...options.env,
      WORKFLOW_SECRETS_STORAGE_PATH: join(root, "env"),
      WORKFLOW_SECRETS_STORAGE_BACKEND: "file",
    };
    await set("A", { env, storagePath: undefined });
    expect(await readdir(join(root, "env"))).toContain("secrets.json");
    await set("A", { env, backend: "sqlite" });
    expect(await readdir(options.storagePath)).toContain("secrets.db");
  });

  it.each(["postgres", "Sqlite", "x"])("has no backend %s", async (backend) => {
    await expect(openSecrets({ ...options, backend })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it.each<[string, () => Promise<void>]>([
    ["a WAL without its database", async () => await writeFile(join(options.storagePath, "secrets.db-wal"), "x")],
    [
      "a link that leads nowhere",
      async () => await symlink(join(root, "gone"), join(options.storagePath, "secrets.db")),
    ],
  ])("does not take %s for an empty store", async (_, leave) => {
    await mkdir(options.storagePath, { mode: 0o700 });
    await leave();
    const attempt = openSecrets({ ...options, create: false });
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_/) });
  });

  it("does not take a record for absent where the index of the database is damaged", async () => {
    await set("A");
    await set("B");
    const file = join(options.storagePath, "secrets.db");
    const bytes = await readFile(file);
    // One of the places of this letter is the entry in the index of names.
    const places = Array.from(bytes.keys()).filter((place) => bytes[place] === 0x42);
    let corrupt = 0;
    for (const place of places) {
      const changed = Buffer.from(bytes);
      changed[place] = 0x51;
      await writeFile(file, changed);
      const outcome = await use({}, async (secrets) => await secrets.get("B")).then(
        ({ fields }) => String(fields["value"]),
        (error: { code: string }) => error.code,
      );
      // Whatever byte it was: the value, or an error; never another value.
      if (outcome !== VALUE) expect(outcome).toMatch(/^[A-Z]+_[A-Z_]+$/);
      if (outcome === "STORE_CORRUPT") corrupt += 1;
    }
    expect({ places: places.length > 0, corrupt: corrupt > 0 }).toEqual({ places: true, corrupt: true });
  });

  it("does not choose between two stores", async () => {
    await set("A", { backend: "sqlite" });
    await writeFile(join(options.storagePath, "secrets.json"), "{}");
    await rm(join(options.storagePath, "backend"));
    await expect(openSecrets(options)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await use({ backend: "sqlite" }, async (secrets) => await secrets.get("A"));
    // From now on the folder remembers.
    await use({}, async (secrets) => await secrets.get("A"));
  });

  it("does not take a folder that it may not look into for an empty one", async () => {
    await mkdir(options.storagePath);
    await writeFile(join(root, "file"), "");
    await expect(openSecrets({ ...options, storagePath: join(root, "file") })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
    });
    await chmod(options.storagePath, 0o700);
  });

  it("opens neither of two records whose ciphertexts were swapped, and lists both", async () => {
    await set("A");
    await use({}, async (secrets) => await secrets.set(key("B", "another-canary-value")));
    const database = openDatabase(join(options.storagePath, "secrets.db"));
    const columns = ["ciphertext", "nonce", "tag"];
    const swap = columns.map(
      (column) => `${column} = (SELECT ${column} FROM before AS other WHERE other.name <> secret_versions.name)`,
    );
    database.exec(
      `CREATE TEMP TABLE before AS SELECT * FROM secret_versions; UPDATE secret_versions SET ${swap.join(", ")}`,
    );
    database.close();
    await use({}, async (secrets) => {
      for (const name of ["A", "B"]) {
        await expect(secrets.get(name)).rejects.toMatchObject({
          code: "INTEGRITY_FAILED",
          message: `Secret '${name}' cannot be opened`,
        });
      }
      expect(await secrets.list()).toHaveLength(2);
    });
  });
});

describe("a program without types", () => {
  it.each<[string, unknown]>([
    ["an empty path", { storagePath: "" }],
    ["an empty key file", { keyFile: "" }],
    ["no version", { maxVersions: 0 }],
    ["fewer versions than none", { maxVersions: -1 }],
    ["half a version", { maxVersions: 1.5 }],
    ["not a number", { maxVersions: Number.NaN }],
    ["a text of versions", { maxVersions: "ten" }],
  ])("gets no other store, key or number of versions for %s", async (_, more) => {
    await expect(set("A", more as never)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it.each<[string, unknown, string]>([
    ["a name that is none", { ...key("A"), name: undefined }, "NAME_INVALID"],
    ["a list with a name", { ...key("A"), name: ["A"] }, "NAME_INVALID"],
    ["a type that is none", { ...key("A"), type: undefined }, "VALUE_INVALID"],
    ["a type that there is not", { ...key("A"), type: "constructor" }, "VALUE_INVALID"],
    ["a tag for the tags", { ...key("A"), tags: "prod" }, "VALUE_INVALID"],
    ["numbers for tags", { ...key("A"), tags: [5] }, "VALUE_INVALID"],
  ])("stores nothing with %s", async (_, input, code) => {
    await use({}, async (secrets) => {
      await expect(secrets.set(input as never)).rejects.toMatchObject({ code });
      expect(await secrets.list()).toEqual([]);
    });
  });

  it.each([[["A"]], [{ name: "A" }], [5], [null], [undefined]])(
    "is not told of a damaged store for %j",
    async (name) => {
      await set("A");
      await use({}, async (secrets) => {
        await expect(secrets.get(name as never)).rejects.toMatchObject({ code: "NAME_INVALID" });
        await expect(secrets.delete(name as never)).rejects.toMatchObject({ code: "NAME_INVALID" });
      });
    },
  );
});
