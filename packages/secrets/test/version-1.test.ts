import { randomBytes } from "node:crypto";
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { SecretService } from "@autokestra/secrets-core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../sqlite/test/open-database.ts";
import {
  backUpStore,
  diagnose,
  listKeys,
  migrateStore,
  restoreBackup,
  rotateKeys,
  type SecretsOptions,
} from "../src/index.ts";
import { apiKey, expectRefusal, makeRoot, named, type Place, placeAt, putStored, use } from "./attacked-place.ts";
import { openHeld } from "./interleaving.ts";
import { readStored } from "./stored-content.ts";
import { FILES, fixture, fixtureKey, KEY, KINDS, layoutOf, putKey, putStore, runSql } from "./version-1-place.ts";

/** The first field of every version of every secret that is not deleted. */
const VALUES = {
  API_KEY: ["key-three", "key-two", "key-one"],
  BEARER: ["bearer-one"],
  CUSTOM: ["custom-one"],
  DB_LOGIN: ["login-one"],
  OAUTH: ["oauth-two", "oauth-one"],
};
const FIELDS: Record<string, string> = { BEARER: "token", CUSTOM: "pin", DB_LOGIN: "password", OAUTH: "clientSecret" };

/** A key that opens nothing here. */
const OTHER_KEY = randomBytes(32).toString("hex");

let place: Place;
let options: SecretsOptions;

beforeEach(async () => {
  place = placeAt(await makeRoot());
  ({ options } = place);
});

afterEach(async () => {
  await rm(place.root, { recursive: true, force: true });
});

/** Values of all versions, the newest first, by name. */
async function values(from: SecretsOptions = options): Promise<Record<string, unknown[]>> {
  return await use({ ...from, create: false }, async ({ secrets }) => {
    const found: Record<string, unknown[]> = {};
    for (const { name } of await secrets.list()) {
      const versions = await secrets.versions(name);
      const read = versions.map(async ({ version }) => await secrets.get(name, { atVersion: version }));
      found[name] = (await Promise.all(read)).map(({ fields }) => fields[FIELDS[name] ?? "value"]);
    }
    return found;
  });
}

async function failures(from: SecretsOptions = options): Promise<readonly string[]> {
  const findings = await use({ ...from, create: false }, async (manager) => await diagnose(manager));
  return findings.filter(({ status }) => status === "failure").map(({ message }) => message);
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

/** What may be the first that is written, and what is then different. */
const WRITES: readonly (readonly [string, (secrets: SecretService) => Promise<unknown>, object])[] = [
  ["set", async (s) => await s.set(apiKey("API_KEY", "key-four")), { API_KEY: ["key-four", ...VALUES.API_KEY] }],
  ["create", async (s) => await s.create(apiKey("NEW", "new")), { NEW: ["new"] }],
  ["setAll", async (s) => await s.setAll([apiKey("NEW", "new"), apiKey("X", "x")]), { NEW: ["new"], X: ["x"] }],
  ["edit", async (s) => await s.edit("OAUTH", { description: "of version 2" }), {}],
  ["rename", async (s) => await s.rename("API_KEY", "NEW"), { NEW: VALUES.API_KEY, API_KEY: undefined }],
  ["rollback", async (s) => await s.rollback("API_KEY", 1), { API_KEY: ["key-one", ...VALUES.API_KEY] }],
  ["restore", async (s) => await s.restore("api_key"), { api_key: ["lower-case-one"] }],
  ["delete", async (s) => await s.delete("CUSTOM"), { CUSTOM: undefined }],
];

describe.each(KINDS)("a store of version 1 in %s", (kind) => {
  const other = kind === "sqlite" ? "file" : "sqlite";
  let path: string;
  let before: Buffer;

  beforeEach(() => {
    path = putStore(place.folder, kind);
    putKey(place, "secret.key");
    before = readFileSync(path);
  });

  function expectUntouched(): void {
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(place.folder)).toEqual([FILES[kind]]);
  }

  it("is read without being written to", async () => {
    expect(await values()).toEqual(VALUES);
    const reading = { ...options, create: false };
    await use(reading, async ({ secrets }) => {
      expect((await secrets.describe("API_KEY")).metadata).toMatchObject({
        version: 3,
        revision: 3,
        description: "für CI",
        tags: ["ci", "prod"],
        importedId: null,
        policy: null,
      });
      expect((await secrets.list({ state: "deleted" })).map(({ name }) => name)).toEqual(["GONE", "api_key"]);
      await expectRefusal(secrets.get("GONE"), "get", "SECRET_DELETED");
      expect((await secrets.get("DB_LOGIN")).fields).toEqual({ username: "postgres", password: "login-one" });
    });
    const lines = (await use(reading, diagnose)).map(({ status, message }) => `${status} ${message}`);
    expect(lines.filter((line) => !line.startsWith("ok"))).toEqual([]);
    expect(lines.join()).toMatch(/ok format 1, .*, epoch 0.*7 secrets, 11 versions: all decrypt/);
    await backUpStore(reading, join(place.root, "copy"));
    expectUntouched();
  });

  it("is not written to by another key, which is told both fingerprints as far as there are any", async () => {
    const keyFile = putKey(place, "other.key", OTHER_KEY);
    const reading = { ...options, create: false, keyFile };
    for (const [what, write] of WRITES.filter(([name]) => name !== "delete")) {
      const attempt = use(reading, async ({ secrets }) => await write(secrets));
      await expect(attempt, what).rejects.toMatchObject({
        code: "KEY_WRONG",
        message: expect.stringMatching(/other\.key \([0-9a-f]{16}\) is not .*, which is unknown \(older format\)$/),
      });
    }
    expect((await use(reading, diagnose)).at(-1)).toMatchObject({ status: "failure", subject: "key" });
    expectUntouched();
  });

  it("is not upgraded by what writes nothing", async () => {
    const attempts = await use({ ...options, create: false }, async ({ secrets }) => {
      return await Promise.allSettled([
        secrets.set(apiKey("API_KEY", "")),
        secrets.set(apiKey("API_KEY", "x"), { ifVersion: 9 }),
        secrets.edit("API_KEY", {}, { ifRevision: 9 }),
        secrets.rename("API_KEY", "CUSTOM"),
        secrets.restore("API_KEY"),
        secrets.delete("NOTHING"),
      ]);
    });
    expect(attempts.map(({ status }) => status)).toEqual(attempts.map(() => "rejected"));
    expectUntouched();
  });

  it.each(WRITES)("is upgraded by the first write: %s", async (_, write, changed) => {
    await use(options, async ({ secrets }) => await write(secrets));
    const expected = Object.entries({ ...VALUES, ...changed }).filter(([, list]) => list !== undefined);
    expect(await values()).toEqual(Object.fromEntries(expected));
    expect(await failures()).toEqual([]);
    expect(layoutOf(place.folder)).toBe(2);
    const { header, secrets } = readStored(place.folder);
    expect(JSON.parse(header ?? "")).toMatchObject({ format: 2, epoch: 1, fingerprint: "1ec89b71d916695a" });
    for (const { current } of secrets) expect(current.mac).toMatch(/^[0-9a-f]{8}:/);
    // Envelopes stay until they are sealed again.
    expect(named({ header, secrets }, "BEARER").current).toMatchObject({ format: 1, revision: 1 });
    expect(modeOf(path)).toBe(0o600);
  });

  it("is kept beside the upgraded one, private, and opens by itself", async () => {
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    const kept = `${path}.v1.backup`;
    expect(modeOf(kept)).toBe(0o600);
    expect(readFileSync(kept).equals(before)).toBe(true);
    expect(readdirSync(place.folder).filter((name) => name.includes(".v1"))).toEqual([`${FILES[kind]}.v1.backup`]);
    const again = { ...options, storagePath: join(place.root, "again") };
    const copy = putStore(again.storagePath, kind);
    writeFileSync(copy, readFileSync(kept));
    expect(await values(again)).toEqual(VALUES);
    await use(again, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    expect(await values(again)).toEqual({ ...VALUES, NEW: ["new"] });
  });

  it("does not come back over the upgraded one by a key that was only found", async () => {
    const keyFile = putKey(place, "given.key");
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    writeFileSync(path, readFileSync(`${path}.v1.backup`));
    for (const end of ["-wal", "-shm"]) rmSync(path + end, { force: true });
    const attempt = use(options, async ({ secrets }) => await secrets.get("API_KEY"));
    await expect(attempt).rejects.toMatchObject({
      code: "STORE_ROLLED_BACK",
      message: expect.stringMatching(/an older state .* 20\d\d-.*1ec89b71d916695a.*1ec89b71d916695a.* 20\d\d-/),
    });
    expect(await values({ ...options, keyFile })).toEqual(VALUES);
  });

  it("stays of version 1 where something is deleted without the key, or removed for good", async () => {
    const keyless = { ...options, env: { HOME: join(place.root, "nowhere") } };
    await use({ ...keyless, create: false }, async ({ secrets }) => {
      await secrets.delete("API_KEY");
      await secrets.delete("BEARER", { purge: true });
      await secrets.delete("GONE", { purge: true });
      await expectRefusal(secrets.restore("API_KEY"), "restore", "KEY_MISSING");
      await expectRefusal(secrets.set(apiKey("NEW", "new")), "set", "KEY_MISSING");
    });
    expect(readdirSync(place.folder)).toEqual([FILES[kind]]);
    expect(layoutOf(place.folder)).toBe(1);
    const { API_KEY: _key, BEARER: _bearer, ...rest } = VALUES;
    expect(await values()).toEqual(rest);
    await use(options, async ({ secrets }) => await secrets.restore("API_KEY"));
    expect(layoutOf(place.folder)).toBe(2);
    expect(await values()).toEqual({ ...rest, API_KEY: VALUES.API_KEY });
    expect(await failures()).toEqual([]);
  });

  it("says so where a secret is damaged, and is upgraded at the latest once that one is removed", async () => {
    if (kind === "sqlite") runSql(path, "UPDATE secrets SET type = 'nonsense' WHERE name = 'CUSTOM'");
    else writeFileSync(path, readFileSync(path, "utf8").replace('"type": "custom"', '"type": "nonsense"'));
    await use(options, async ({ secrets }) => {
      await secrets.set(apiKey("NEW", "new")).catch(async (error: unknown) => {
        expect(error).toMatchObject({ code: "STORE_CORRUPT", message: expect.stringContaining("'CUSTOM'") });
        expect(layoutOf(place.folder)).toBe(1);
        await secrets.delete("CUSTOM", { purge: true });
        await secrets.set(apiKey("NEW", "new"));
      });
      await secrets.delete("CUSTOM", { purge: true }).catch(() => undefined);
    });
    const { CUSTOM: _custom, ...rest } = VALUES;
    expect(await values()).toEqual({ ...rest, NEW: ["new"] });
  });

  it("is upgraded where it is empty", async () => {
    if (kind === "sqlite") runSql(path, "DELETE FROM secrets; DELETE FROM header");
    else writeFileSync(path, '{"format":1,"header":null,"secrets":[]}');
    expect(await values()).toEqual({});
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    expect(await values()).toEqual({ NEW: ["new"] });
    expect(layoutOf(place.folder)).toBe(2);
  });

  it("is moved into the other kind once it is upgraded, which needs its key", async () => {
    const keyless = { ...options, env: { HOME: join(place.root, "nowhere") }, create: false };
    await expectRefusal(migrateStore(keyless, other), "migrateStore", "KEY_MISSING");
    await expectRefusal(
      migrateStore({ ...options, create: false, keyFile: putKey(place, "x", OTHER_KEY) }, other),
      "migrateStore",
      "KEY_WRONG",
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(await migrateStore(options, kind)).toMatchObject({ kept: null });
    expect(layoutOf(place.folder)).toBe(1);
    expect(await migrateStore(options, other)).toMatchObject({ from: kind, to: other, secrets: 7, versions: 11 });
    expect(await values()).toEqual(VALUES);
    expect(await failures()).toEqual([]);
    await use(options, async ({ secrets }) => await secrets.restore("api_key"));
  });

  it("is rotated, and after a new data key nothing of version 1 opens any more", async () => {
    const report = await rotateKeys(options, { dataKey: true });
    expect(report).toMatchObject({ before: "1ec89b71d916695a", isComplete: true });
    expect(report.dataKeys.filter(({ state }) => state !== "destroyed")).toHaveLength(1);
    expect(await values()).toEqual(VALUES);
    expect(await failures()).toEqual([]);
    const content = readStored(place.folder);
    expect(content.secrets.flatMap(({ current, older }) => [current, ...older]).map(({ format }) => format)).toEqual(
      Array.from({ length: 11 }, () => 2),
    );
    expect(readFileSync(join(place.keyFolder, `secret.key.${report.before}`), "utf8")).toBe(KEY);
    await expectRefusal(
      values({ ...options, keyFile: join(place.keyFolder, `secret.key.${report.before}`) }),
      "values",
      "KEY_WRONG",
    );
  });

  it("leaves no row that can be put back after a new data key", async () => {
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    const secret = named(readStored(place.folder), "BEARER");
    await rotateKeys(options, { dataKey: true });
    putStored(place.folder, secret);
    await use(options, async ({ secrets }) => {
      await expectRefusal(secrets.get("BEARER"), "get", "INTEGRITY_FAILED");
    });
  });

  describe("as a backup", () => {
    it("is restored into nothing, with its keys, in today's layout", async () => {
      const anew = { ...options, storagePath: join(place.root, "anew") };
      const report = await restoreBackup(anew, path);
      expect(report).toMatchObject({ backend: kind, secrets: 7, versions: 11, kept: null, tookKeys: true });
      expect(layoutOf(anew.storagePath)).toBe(2);
      expect(await values(anew)).toEqual(VALUES);
      expect(await failures(anew)).toEqual([]);
      expectUntouched();
    });

    it.each(KINDS)("is restored into a %s store of version 2 under another key, which stays its key", async (now) => {
      // Its own key is beside the default one: the header does not say which.
      putKey(place, "kept.key");
      putKey(place, "secret.key", OTHER_KEY);
      const current = { ...options, storagePath: join(place.root, "current") };
      await use({ ...current, backend: now }, async ({ secrets }) => {
        for (const value of ["one", "two"]) await secrets.set(apiKey("ELSE", value));
      });
      const { header } = readStored(current.storagePath);
      const report = await restoreBackup(current, path);
      expect(report).toMatchObject({ backend: now, secrets: 7, versions: 11, tookKeys: false });
      expect(await values(current)).toEqual(VALUES);
      expect(await failures(current)).toEqual([]);
      const after = readStored(current.storagePath);
      const [own, restored] = [header, after.header].map((text) => JSON.parse(text ?? ""));
      expect(restored).toMatchObject({ storeId: own.storeId, fingerprint: own.fingerprint, epoch: own.epoch + 1 });
      expect(named(after, "API_KEY").current).toMatchObject({ format: 2, revision: 4 });
      expect(readFileSync(path).equals(before)).toBe(true);
    });

    it("is restored over another one of version 1, which is kept", async () => {
      const current = { ...options, storagePath: join(place.root, "current") };
      putStore(current.storagePath, kind);
      await use(current, async ({ secrets }) => await secrets.delete("API_KEY", { purge: true }));
      expect(layoutOf(current.storagePath)).toBe(1);
      expect(await restoreBackup(current, path)).toMatchObject({ secrets: 7, tookKeys: false });
      expect(await values(current)).toEqual(VALUES);
      expect(layoutOf(current.storagePath)).toBe(2);
    });

    it("is not restored with another key, and changes nothing", async () => {
      const anew = { ...options, storagePath: join(place.root, "anew"), keyFile: putKey(place, "x", OTHER_KEY) };
      await expectRefusal(restoreBackup(anew, path), "restoreBackup", "KEY_WRONG");
      expect(readdirSync(anew.storagePath)).toEqual([]);
    });
  });

  describe("with keys that version 1 has rotated", () => {
    const ROTATED = { A: ["file-two", "file-one"] };

    beforeEach(() => {
      putStore(place.folder, kind, "rotated");
      putKey(place, "secret.key", fixtureKey(kind, "now"));
    });

    it("opens with the key in place, and a backup from before with the one that was kept", async () => {
      putKey(place, "secret.key.0badcafe.old", fixtureKey(kind, "before"));
      expect(await values()).toEqual(ROTATED);
      const anew = { ...options, storagePath: join(place.root, "anew") };
      await restoreBackup(anew, fixture(kind, "before-rotation"));
      expect(await values(anew)).toEqual(ROTATED);
      const { keys } = await listKeys(options);
      expect(keys.flatMap(({ paths }) => paths)).toContain(join(place.keyFolder, "secret.key.0badcafe.old"));
    });

    it("opens with the key that a killed rotation has not put in place, without writing anything", async () => {
      putKey(place, "secret.key", fixtureKey(kind, "before"));
      putKey(place, "secret.key.0badcafe.new", fixtureKey(kind, "now"));
      const names = readdirSync(place.keyFolder);
      expect(await values()).toEqual(ROTATED);
      const given = { ...options, keyFile: join(place.keyFolder, "secret.key") };
      expect(await values(given)).toEqual(ROTATED);
      expect(readdirSync(place.keyFolder)).toEqual(names);
      // A variable is a source of its own: what lies beside the file is not its.
      const variable = { HOME: join(place.root, "home"), AUTOKESTRA_SECRET_KEY: fixtureKey(kind, "before") };
      await expectRefusal(values({ ...options, env: variable }), "values", "KEY_WRONG");
      // The next rotation puts it in place, and keeps the one before.
      const report = await rotateKeys(options);
      expect(await values()).toEqual(ROTATED);
      expect(readFileSync(join(place.keyFolder, "secret.key"), "utf8")).toBe(fixtureKey(kind, "now"));
      const kept = readFileSync(join(place.keyFolder, `secret.key.${report.before}`), "utf8");
      expect(kept).toBe(fixtureKey(kind, "before"));
    });

    it("is not opened by a kept key beside a file that is given", async () => {
      const keyFile = putKey(place, "given.key", OTHER_KEY);
      putKey(place, "given.key.0badcafe.old", fixtureKey(kind, "now"));
      await expectRefusal(values({ ...options, keyFile }), "values", "KEY_WRONG");
    });
  });

  describe("under a passphrase", () => {
    const PHRASE = { A: ["pass-two", "pass-one"] };
    const env = (text: string) => ({ HOME: join(place.root, "home"), AUTOKESTRA_SECRET_KEY: text });

    beforeEach(() => {
      putStore(place.folder, kind, "passphrase");
      before = readFileSync(path);
    });

    it("is read, and upgraded with the salt that it has", async () => {
      const opened = { ...options, env: env("correct horse battery staple") };
      expect(await values(opened)).toEqual(PHRASE);
      expectUntouched();
      const file = kind === "sqlite" ? null : JSON.parse(readFileSync(path, "utf8")).header;
      await use(opened, async ({ secrets }) => await secrets.restore("GONE"));
      expect(await values(opened)).toEqual({ ...PHRASE, GONE: ["pass-gone"] });
      const { kdf, fingerprint } = JSON.parse(readStored(place.folder).header ?? "");
      expect(kdf).toMatchObject({ name: "pbkdf2-hmac-sha256", passphraseSalt: kdf.salt, iterations: 600_000 });
      expect(fingerprint).toMatch(/^[0-9a-f]{16}$/);
      if (file !== null) expect(kdf.salt).toBe(JSON.parse(file).kdf.salt);
      // A store from elsewhere keeps its salt: those made here do not get it.
      const anew = { ...opened, storagePath: join(place.root, "anew"), backend: kind };
      await use(anew, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
      const made = JSON.parse(readStored(anew.storagePath).header ?? "");
      expect(made.kdf.passphraseSalt).not.toBe(kdf.passphraseSalt);
      expect(made.fingerprint).not.toBe(fingerprint);
    });

    it("is not opened by another passphrase, or by a key of 32 bytes", async () => {
      for (const text of ["correct horse battery stapler", KEY]) {
        await expectRefusal(values({ ...options, env: env(text) }), "values", "KEY_WRONG");
      }
      expectUntouched();
    });

    it("is rotated to a key file", async () => {
      const newKeyFile = join(place.root, "keys", "new.key");
      await rotateKeys({ ...options, env: env("correct horse battery staple") }, { newKeyFile, dataKey: true });
      expect(await values({ ...options, keyFile: newKeyFile })).toEqual(PHRASE);
      await expectRefusal(values({ ...options, env: env("correct horse battery staple") }), "values", "KEY_WRONG");
    });
  });

  describe("beside a process of version 1 that goes on", () => {
    /** Holds a set before each of its calls of the upgrade until `change` is done. */
    async function setWhile(change: () => void): Promise<void> {
      let isDone = false;
      const held = await openHeld(options, async (method) => {
        if (method === "upgrade" && !isDone) {
          isDone = true;
          change();
        }
        return await Promise.resolve();
      });
      try {
        await held.secrets.set(apiKey("NEW", "new"));
        expect(isDone).toBe(true);
      } finally {
        await held.secrets.close();
      }
    }

    /** What version 1 writes where something is deleted, and where it was restored. */
    function markByVersion1(name: string, deletedAt: string | null): void {
      if (kind === "sqlite") {
        const database = openDatabase(path);
        database.prepare("UPDATE secrets SET deleted_at = ? WHERE name = ? AND is_current = 1").run(deletedAt, name);
        database.close();
        return;
      }
      const document = JSON.parse(readFileSync(path, "utf8"));
      for (const entry of document.secrets) if (entry.name === name) entry.deletedAt = deletedAt;
      writeFileSync(path, JSON.stringify(document));
    }

    it("takes over what it writes between the last look and the upgrade", async () => {
      await setWhile(() => {
        markByVersion1("API_KEY", new Date().toISOString());
        markByVersion1("api_key", null);
      });
      const { API_KEY: _key, ...rest } = VALUES;
      expect(await values()).toEqual({ ...rest, NEW: ["new"], api_key: ["lower-case-one"] });
      expect(await failures()).toEqual([]);
    });

    it("sees at once what it has written, as long as nothing is upgraded", async () => {
      await use({ ...options, create: false }, async ({ secrets }) => {
        expect((await secrets.get("API_KEY")).metadata.version).toBe(3);
        markByVersion1("API_KEY", new Date().toISOString());
        await expectRefusal(secrets.get("API_KEY"), "get", "SECRET_DELETED");
        markByVersion1("API_KEY", null);
        expect((await secrets.get("API_KEY")).metadata.version).toBe(3);
      });
    });
  });
});

describe("beside a process of version 1 that has the database open", () => {
  /** All that version 1 asks of its tables: each is prepared before the upgrade, as that process has them. */
  const STATEMENTS = [
    "SELECT text FROM header",
    "INSERT INTO header (id, text) VALUES (1, '') ON CONFLICT DO NOTHING",
    "UPDATE header SET text = text",
    "SELECT * FROM secrets INDEXED BY secrets_current WHERE name = 'API_KEY' AND is_current = 1",
    "SELECT 1 FROM secrets INDEXED BY secrets_version WHERE name = 'API_KEY' LIMIT 1",
    "SELECT DISTINCT name FROM secrets INDEXED BY secrets_version WHERE name > '' ORDER BY name LIMIT 9",
    "INSERT INTO secrets SELECT * FROM secrets",
    "UPDATE secrets SET is_current = 0, deleted_at = NULL WHERE name = 'API_KEY' AND is_current = 1",
    "UPDATE secrets SET key_id = key_id",
    "UPDATE secrets SET deleted_at = NULL WHERE name = 'GONE' AND is_current = 1",
    "DELETE FROM secrets INDEXED BY secrets_version WHERE name = 'API_KEY'",
    "SELECT name FROM secrets INDEXED BY secrets_deleted WHERE is_current = 1 AND deleted_at IS NOT NULL AND deleted_at < '9'",
  ];

  it("every statement of it fails after the upgrade, and nothing is half done", async () => {
    const path = putStore(place.folder, "sqlite");
    putKey(place, "secret.key");
    const process1 = openDatabase(path);
    process1.pragma("journal_mode = WAL");
    const prepared = STATEMENTS.map((text) => ({ text, statement: process1.prepare(text) }));
    expect(process1.prepare("SELECT count(*) FROM secrets").pluck().get()).toBe(11);
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    for (const { text, statement } of prepared) {
      const run = () => (text.startsWith("SELECT") ? statement.all() : statement.run());
      expect(run, text).toThrow(/no such table/);
    }
    process1.close();
    expect(await values()).toEqual({ ...VALUES, NEW: ["new"] });
    expect(await failures()).toEqual([]);
  });

  it("waits for it where it reads, and where it writes", async () => {
    const path = putStore(place.folder, "sqlite");
    putKey(place, "secret.key");
    const process1 = openDatabase(path);
    process1.pragma("journal_mode = WAL");
    process1.exec("BEGIN; SELECT count(*) FROM secrets");
    await use(options, async ({ secrets }) => await secrets.set(apiKey("NEW", "new")));
    // What it reads is still as it was when it began.
    expect(process1.prepare("SELECT count(*) FROM secrets").pluck().get()).toBe(11);
    process1.exec("COMMIT");
    process1.close();
    chmodSync(path, 0o600);
    expect(await values()).toEqual({ ...VALUES, NEW: ["new"] });
  });
});
