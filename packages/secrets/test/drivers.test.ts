import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, type SecretStore } from "@autokestra/secrets-core";
import { requireAbilities } from "@autokestra/secrets-core/internal";
import { sampleSecret } from "@autokestra/secrets-core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { driverOfBackup } from "../src/back-up.ts";
import { DRIVERS, type Driver, folderDrivers, type UrlDriver } from "../src/drivers.ts";
import { runsFile } from "../src/folders.ts";
import {
  backUpStore,
  diagnose,
  locationText,
  migrateStore,
  openSecrets,
  openSecretsManager,
  restoreBackup,
  rotateKeys,
  type SecretsOptions,
} from "../src/index.ts";
import { parseLocation } from "../src/location.ts";
import { copyStore } from "../src/records.ts";

const URL_TEXT = "postgres://user:password@db.example:5432/secrets?password=other#password";

let root: string;
let options: SecretsOptions;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "autokestra-drivers-"));
  options = { env: { HOME: join(root, "home") }, storagePath: join(root, "secrets") };
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Runs `work` with other rows in the table of drivers. */
async function withDrivers<T>(drivers: readonly Driver[], work: () => Promise<T>): Promise<T> {
  const table = DRIVERS as Driver[];
  const rows = table.splice(0, table.length, ...drivers);
  try {
    return await work();
  } finally {
    table.splice(0, table.length, ...rows);
  }
}

async function refusalOf(work: Promise<unknown>): Promise<{ code: string; text: string }> {
  const error = await work.then(
    () => expect.unreachable(),
    (one: { code: string; message: string; hint?: string }) => one,
  );
  return { code: error.code, text: `${error.message} ${error.hint}` };
}

describe("a location", () => {
  it("is a folder, or a URL of which messages show nothing secret", () => {
    expect(parseLocation("/a/b")).toEqual({ kind: "folder", path: "/a/b" });
    expect(parseLocation("c:d")).toEqual({ kind: "folder", path: join(process.cwd(), "c:d") });
    expect(locationText(parseLocation("/a/b"))).toBe("/a/b");
    expect(locationText(parseLocation(URL_TEXT))).toBe("postgres://db.example:5432/secrets");
  });

  it("that only looks like a URL is refused, and not shown", async () => {
    const { code, text } = await refusalOf(openSecrets({ ...options, storagePath: "postgres://password@:x" }));
    expect(code).toBe("OPTION_INVALID");
    expect(text).not.toContain("password");
  });

  it.each([
    ["opened", async (place: SecretsOptions) => await openSecrets(place)],
    ["migrated", async (place: SecretsOptions) => await migrateStore(place, "file")],
    ["rotated", async (place: SecretsOptions) => await rotateKeys(place)],
    ["backed up", async (place: SecretsOptions) => await backUpStore(place, join(root, "copy"))],
    ["restored", async (place: SecretsOptions) => await restoreBackup(place, join(root, "copy"))],
  ])("without a driver is not %s, and shows no password", async (_, work) => {
    const { code, text } = await refusalOf(work({ ...options, storagePath: URL_TEXT }));
    expect(code).toBe("OPTION_INVALID");
    expect(text).toContain("there is no driver for postgres:");
    expect(text).not.toMatch(/password|autokestra secrets|--/);
    expect(readdirSync(root)).toEqual([]);
  });

  it("that is a URL has the run history in the working directory", () => {
    expect(runsFile({ ...options, storagePath: URL_TEXT })).toBe(join(process.cwd(), ".workflow", "runs.db"));
  });
});

describe("a driver for URLs that joined the table", () => {
  let database: SecretStore | null;
  const driver: UrlDriver = {
    kind: "url",
    name: "postgres",
    protocols: ["postgres:"],
    async open() {
      database ??= createMemoryStore();
      return { ...database, close: async () => undefined };
    },
    exists: async () => database !== null,
  };
  const withDriver = async (work: (place: SecretsOptions) => Promise<void>) =>
    await withDrivers([...folderDrivers(), driver], async () => await work({ ...options, storagePath: URL_TEXT }));

  beforeEach(() => {
    database = null;
  });

  async function set(place: SecretsOptions, name: string): Promise<void> {
    const secrets = await openSecrets(place);
    await secrets.set({ name, type: "apiKey", fields: { value: `value of ${name}` } });
    await secrets.close();
  }

  it("opens, makes and lists a store, and looks into no folder", async () => {
    await withDriver(async (place) => {
      const reader = await openSecretsManager({ ...place, create: false });
      expect([reader.driver, await reader.secrets.list(), database]).toEqual([null, [], null]);
      await set(place, "A");
      await set(place, "B");
      const { driver: name, location, secrets } = await openSecretsManager({ ...place, create: false });
      expect([name, locationText(location)]).toEqual(["postgres", "postgres://db.example:5432/secrets"]);
      expect((await secrets.list()).map((one) => one.name)).toEqual(["A", "B"]);
      expect((await secrets.get("A")).fields).toEqual({ value: "value of A" });
      expect(readdirSync(root)).toEqual(["home"]);
    });
  });

  it("rotates and examines a store", async () => {
    await withDriver(async (place) => {
      await expect(rotateKeys(place)).rejects.toMatchObject({
        message: expect.stringContaining('"postgres://db.example:5432/secrets" cannot be used: there is none yet'),
      });
      await set(place, "A");
      expect(await rotateKeys(place, { dataKey: true })).toMatchObject({ isComplete: true });
      const manager = await openSecretsManager({ ...place, keyFile: join(root, "home/.autokestra/secret.key") });
      const findings = await diagnose(manager);
      expect(findings.filter(({ status }) => status !== "ok")).toEqual([]);
      expect(findings[0]?.message).toBe("postgres in postgres://db.example:5432/secrets, 1 secret");
    });
  });

  it("has no file, and what needs one says so", async () => {
    await withDriver(async (place) => {
      await set(place, "A");
      await expect(backUpStore(place, join(root, "copy"))).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: "A memory store cannot be copied into a file",
        details: { reason: "no such ability" },
      });
      const works = [migrateStore(place, "file"), restoreBackup(place, join(root, "copy"))];
      for (const work of works) {
        const { code, text } = await refusalOf(work);
        expect(code).toBe("OPTION_INVALID");
        expect(text).toContain("postgres://db.example:5432/secrets");
        expect(text).not.toContain("password");
      }
    });
  });
});

describe("a store without abilities", () => {
  it("is copied into a file, and from there, as long as the target can be filled", async () => {
    const [driver] = folderDrivers();
    const from = createMemoryStore({ header: "one", secrets: [sampleSecret("A"), sampleSecret("A", { version: 2 })] });
    await from.writeAnchor({ name: "audit", counter: 1, text: "", mac: "" }, null);
    const path = join(root, "built", "secrets.db");
    const count = await driver?.open(path, true).then(async (to) => {
      const copied = await copyStore(from, requireAbilities(to, "bulkInsert"));
      expect([await to.readHeader(), await to.anchors()]).toEqual(["one", await from.anchors()]);
      const [id = ""] = await from.ids();
      expect(await to.versions(id)).toEqual(await from.versions(id));
      await to.close();
      return copied;
    });
    expect(count).toEqual({ secrets: 1, versions: 2 });
  });

  it.each([
    ["the one that is there", "keep other processes out", { exclusively: undefined }],
    ["the one that is built", "take in whole secrets at once", { bulkInsert: undefined }],
  ])("is not migrated where it is %s", async (_, problem, without) => {
    const secrets = await openSecrets({ ...options, backend: "sqlite" });
    await secrets.set({ name: "A", type: "apiKey", fields: { value: "a" } });
    await secrets.close();
    const limited = folderDrivers().map((driver) => ({
      ...driver,
      open: async (path: string, create: boolean) => ({ ...(await driver.open(path, create)), ...without }),
    }));
    await withDrivers(limited as unknown as Driver[], async () => {
      await expect(migrateStore(options, "file")).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining(`store cannot ${problem}`),
      });
      const reader = await openSecrets({ ...options, create: false });
      expect((await reader.get("A")).fields).toEqual({ value: "a" });
      await reader.close();
    });
  });
});

describe("the drivers of folders", () => {
  it("are tried in their order, and where none can be used all reasons are named", async () => {
    const unsuitable = folderDrivers().map((driver) => ({
      ...driver,
      unsuitableReason: async () => `${driver.name} is out`,
    }));
    await withDrivers(unsuitable, async () => {
      const secrets = await openSecrets(options);
      await expect(secrets.set({ name: "A", type: "apiKey", fields: { value: "a" } })).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining("sqlite is out; file is out"),
      });
      await secrets.close();
    });
  });

  it("recognize what is a backup of theirs", async () => {
    expect(driverOfBackup("copy", Buffer.from("SQLite format 3\0...")).name).toBe("sqlite");
    expect(driverOfBackup("copy", Buffer.from("{}")).name).toBe("file");
    await withDrivers(folderDrivers().slice(0, 1), async () => {
      expect(() => driverOfBackup("copy", Buffer.from("{}"))).toThrow('"copy" was not restored');
    });
  });
});
