import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { newApiToken } from "@autokestra/secrets-crypto/internal";
import { loadSqlite } from "@autokestra/sqlite";
import { temporaryFolder } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it } from "vitest";
import { type AccessDatabase, openAccessDatabase } from "../../src/access/access-database.ts";
import { isNarrowed, isVisible, ROLES, visibleOnly } from "../../src/access/permissions.ts";
import { type CreatedToken, type NewToken, openTokens, StoredTokens, type Tokens } from "../../src/access/tokens.ts";
import { openSecretsManager, type SecretsManager } from "../../src/index.ts";

let folder: string;
let manager: SecretsManager;
let access: AccessDatabase;
let tokens: Tokens;
let time: string;

const NEW: NewToken = { name: "ci", role: "reader", prefixes: null, tags: null, expiresAt: null };
const now = () => time;

beforeEach(async () => {
  folder = temporaryFolder();
  time = "2026-11-30T10:00:00.000Z";
  const storagePath = join(folder, "secrets");
  manager = await openSecretsManager({ env: {}, storagePath, keyFolder: join(folder, "keys") });
  access = await openAccessDatabase(storagePath);
  tokens = new StoredTokens({ access, ...manager, now });
  return async () => {
    access.close();
    await manager.secrets.close();
  };
});

/** As another process has them. */
async function elsewhere<T>(work: (others: Tokens) => Promise<T>): Promise<T> {
  const opened = await openAccessDatabase(join(folder, "secrets"));
  try {
    return await work(new StoredTokens({ access: opened, ...manager, now }));
  } finally {
    opened.close();
  }
}

/** As somebody without the key can. */
async function bySql(sql: string, ...parameters: unknown[]): Promise<void> {
  const database = (await loadSqlite()).open(join(folder, "secrets", "access.db"), { mode: "rw" });
  database.prepare(sql).run(...parameters);
  database.close();
}

/** A record of the audit log, as another connection writes it. */
async function recordElsewhere(): Promise<void> {
  await bySql(
    `INSERT INTO audit (time, actor_kind, action, outcome, prev) VALUES ('${time}', 'user', 'read', 'done', 'x')`,
  );
}

const rowsOf = async () => await access.read((database) => database.prepare("SELECT * FROM tokens").all());

describe("tokens", () => {
  it("are verified once, whatever is recorded meanwhile, and again where the row has changed", async () => {
    const made: CreatedToken[] = [];
    for (const name of ["a", "b", "c", "d"]) made.push(await tokens.create({ ...NEW, name }));
    const { counted, checks } = await countChecks();
    const findAll = async () => await Promise.all(made.map(async ({ token }) => await counted.find(token)));
    const all = made.map(({ metadata }) => metadata);
    expect(await findAll()).toEqual(all);
    const once = checks();
    expect(once).toBeGreaterThan(made.length - 1);
    for (let count = 0; count < 3; count++) {
      await recordElsewhere();
      expect(await findAll()).toEqual(all);
      expect(await counted.find(newApiToken())).toBe(null);
    }
    expect(checks()).toBe(once);
    const other = await elsewhere(async (others) => await others.create({ ...NEW, name: "other" }));
    expect(await counted.find(other.token)).toEqual(other.metadata);
    expect(await findAll()).toEqual(all);
    expect(checks()).toBe(once + 1);
    await bySql("UPDATE tokens SET role = 'admin' WHERE name = 'a'");
    expect(await findAll()).toEqual([null, ...all.slice(1)]);
    expect(checks()).toBe(once + 2);
    await bySql("UPDATE tokens SET role = 'reader'");
    expect(await findAll()).toEqual(all);
    await recordElsewhere();
    await elsewhere(async (others) => await others.revoke("b"));
    expect(await findAll()).toEqual(all.map((one) => (one.name === "b" ? null : one)));
  });

  /** Tokens as they are, with the number of MACs that were checked for them. */
  async function countChecks(): Promise<{ counted: Tokens; checks: () => number }> {
    const keyring = await manager.keys.keyring();
    let checks = 0;
    const counting = {
      ...keyring,
      checkFields(...fields: Parameters<typeof keyring.checkFields>) {
        checks++;
        return keyring.checkFields(...fields);
      },
    };
    const keys = {
      forEncrypt: async (count: number) => await manager.keys.forEncrypt(count),
      keyring: async () => counting,
    };
    return { counted: new StoredTokens({ access, store: manager.store, keys, now }), checks: () => checks };
  }

  it("are made, found, listed and revoked, and no file has one", async () => {
    expect(await tokens.list()).toEqual([]);
    expect(await tokens.isAnyUsable()).toBe(false);
    const { token, metadata } = await tokens.create({ ...NEW, prefixes: ["CI_"], tags: ["a", "b"] });
    expect(metadata).toMatchObject({
      name: "ci",
      role: "reader",
      prefixes: ["CI_"],
      tags: ["a", "b"],
      createdAt: time,
    });
    expect(await tokens.find(token)).toEqual(metadata);
    expect(await tokens.isAnyUsable()).toBe(true);
    expect(JSON.stringify(await rowsOf())).not.toContain(token.slice(3));
    const other = await elsewhere(async (others) => await others.create({ ...NEW, name: "an-other" }));
    expect(await tokens.find(other.token)).toEqual(other.metadata);
    expect((await tokens.list()).map(({ name, isAuthentic }) => [name, isAuthentic])).toEqual([
      ["an-other", true],
      ["ci", true],
    ]);
    expect(await elsewhere(async (others) => await others.revoke("ci"))).toEqual(metadata);
    expect(await tokens.find(token)).toBe(null);
    expect(await tokens.find(other.token)).toEqual(other.metadata);
    expect(await tokens.revoke(other.metadata.id)).toEqual(other.metadata);
    expect(await tokens.find(other.token)).toBe(null);
    await expect(tokens.revoke("ci")).rejects.toMatchObject({ code: "TOKEN_NOT_FOUND" });
  });

  it("lie beside the store, if it is in a folder", async () => {
    const opened = await openTokens(manager);
    await opened.check();
    const { token } = await tokens.create(NEW);
    expect(await opened.find(token)).not.toBe(null);
    opened.close();
    await expect(opened.check()).rejects.toMatchObject({ code: "ACCESS_UNAVAILABLE" });
    const location = { kind: "url", url: new URL("postgres://db.example/secrets") } as const;
    await expect(openTokens({ ...manager, location })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  it("are refused where they could never be used", async () => {
    await tokens.create(NEW);
    await expect(tokens.create(NEW)).rejects.toMatchObject({ code: "TOKEN_EXISTS" });
    for (const wrong of [
      { name: "a b" },
      { prefixes: ["a%"] },
      { prefixes: [""] },
      { tags: [""] },
      { expiresAt: time },
    ]) {
      await expect(tokens.create({ ...NEW, name: "x", ...wrong })).rejects.toMatchObject({ code: "VALUE_INVALID" });
    }
    await expect(tokens.revoke("none")).rejects.toMatchObject({ code: "TOKEN_NOT_FOUND" });
    await tokens.revoke("ci");
    await tokens.create(NEW);
  });

  it("open nothing once they have expired", async () => {
    const { token } = await tokens.create({ ...NEW, expiresAt: "2026-11-30T10:00:01.000Z" });
    expect(await tokens.find(token)).not.toBe(null);
    time = "2026-11-30T10:00:01.000Z";
    expect(await tokens.find(token)).toBe(null);
    expect(await tokens.isAnyUsable()).toBe(false);
  });

  it("are not found by anything but themselves", async () => {
    const { token } = await tokens.create(NEW);
    const other = (await tokens.create({ ...NEW, name: "b" })).token;
    await tokens.revoke("b");
    for (const text of [other, "", token.slice(0, -1), `${token} `, token.toLowerCase(), token.slice(3)]) {
      expect(await tokens.find(text)).toBe(null);
    }
  });

  it("keep the day of their last use", async () => {
    const { token } = await tokens.create(NEW);
    expect((await tokens.list())[0]?.lastUsedOn).toBe(null);
    await tokens.find(token);
    await tokens.find(token);
    await expect.poll(async () => (await tokens.list())[0]?.lastUsedOn).toBe("2026-11-30");
    await tokens.create({ ...NEW, name: "b" });
    await tokens.revoke("b");
    expect((await tokens.list())[0]?.lastUsedOn).toBe("2026-11-30");
  });
});

describe("who can write the database", () => {
  it("makes no admin", async () => {
    const { token } = await tokens.create(NEW);
    const [row] = (await rowsOf()) as Record<string, unknown>[];
    const insert =
      "INSERT INTO tokens (id, name, role, hash, created_at, epoch, mac) VALUES (?, ?, 'admin', ?, ?, ?, ?)";
    await bySql(insert, "id", "evil", Buffer.alloc(32), time, 1, row?.["mac"]);
    expect((await tokens.list()).map(({ name, isAuthentic }) => [name, isAuthentic])).toEqual([
      ["ci", true],
      ["evil", false],
    ]);
    await bySql("UPDATE tokens SET role = 'admin' WHERE name = 'ci'");
    expect(await tokens.find(token)).toBe(null);
    expect(await tokens.isAnyUsable()).toBe(false);
    expect((await tokens.revoke("evil")).name).toBe("evil");
  });

  it("changes nothing of a token", async () => {
    const { token } = await tokens.create({ ...NEW, prefixes: ["CI_"], expiresAt: "2027-01-01T00:00:00.000Z" });
    const [row] = (await rowsOf()) as Record<string, string | null>[];
    for (const [column, value] of [
      ["name", "x"],
      ["role", "admin"],
      ["prefixes", null],
      ["prefixes", "7"],
      ["prefixes", "{"],
      ["tags", "[]"],
      ["expires_at", null],
      ["epoch", 2],
    ] as const) {
      await bySql(`UPDATE tokens SET ${column} = ?`, value);
      expect(await tokens.find(token)).toBe(null);
      expect((await tokens.list())[0]?.isAuthentic).toBe(false);
      await bySql(`UPDATE tokens SET ${column} = ?`, row?.[column]);
      expect(await tokens.find(token)).not.toBe(null);
    }
  });

  it("brings no revoked token back", async () => {
    const { token } = await tokens.create(NEW);
    await tokens.create({ ...NEW, name: "stays" });
    const [row] = (await access.read((database) =>
      database.prepare("SELECT * FROM tokens WHERE name = 'ci'").all(),
    )) as Record<string, unknown>[];
    const columns = Object.keys(row ?? {});
    await tokens.revoke("ci");
    const put = `INSERT INTO tokens (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
    await bySql(put, ...Object.values(row ?? {}));
    expect(await tokens.find(token)).toBe(null);
    // Nor with the anchor removed, now or by the next token that is made.
    await bySqlOfStore("DELETE FROM anchors");
    await bySql("DELETE FROM tokens WHERE name = 'stays'");
    expect(await tokens.find(token)).toBe(null);
    await tokens.create({ ...NEW, name: "next" });
    expect(await tokens.find(token)).toBe(null);
    await bySqlOfStore("UPDATE anchors SET counter = 1");
    await expect(tokens.list()).rejects.toMatchObject({ code: "INTEGRITY_FAILED" });
  });

  it("brings none back by an older state of everything, while a process knows the later one", async () => {
    const { token } = await tokens.create(NEW);
    const stays = await tokens.create({ ...NEW, name: "stays" });
    const [rows, anchor] = [await rowsOf(), await manager.store.readAnchor("tokens")];
    expect(await tokens.find(token)).not.toBe(null);
    await elsewhere(async (others) => await others.revoke("ci"));
    expect(await tokens.find(token)).toBe(null);
    expect(await tokens.find(stays.token)).toEqual(stays.metadata);
    await bySqlOfStore(`UPDATE anchors SET counter = ${anchor?.counter}, mac = '${anchor?.mac}' WHERE name = 'tokens'`);
    await bySql("DELETE FROM tokens");
    for (const row of rows as Record<string, unknown>[]) {
      const columns = Object.keys(row);
      const put = `INSERT INTO tokens (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
      await bySql(put, ...Object.values(row));
    }
    expect([await tokens.find(token), await tokens.find(stays.token)]).toEqual([null, null]);
  });

  it("gives no token the hash, the role or the row of another one", async () => {
    const admin = await tokens.create({ ...NEW, name: "admin", role: "admin" });
    const reader = await tokens.create({ ...NEW, prefixes: ["CI_"] });
    const findBoth = async () => [await tokens.find(admin.token), await tokens.find(reader.token)];
    const hashOf = async (name: string) =>
      await access.read((database) => database.prepare("SELECT hash FROM tokens WHERE name = ?").pluck().get(name));
    const [adminHash, readerHash] = [await hashOf("admin"), await hashOf("ci")];
    expect(await findBoth()).toEqual([admin.metadata, reader.metadata]);
    await bySql("UPDATE tokens SET hash = x'00' WHERE name = 'admin'");
    await bySql("UPDATE tokens SET hash = ? WHERE name = 'ci'", adminHash);
    expect(await findBoth()).toEqual([null, null]);
    await bySql("UPDATE tokens SET hash = ? WHERE name = 'admin'", readerHash);
    expect(await findBoth()).toEqual([null, null]);
    await bySql("UPDATE tokens SET hash = x'00' WHERE name = 'ci'");
    await bySql("UPDATE tokens SET hash = ? WHERE name = 'admin'", adminHash);
    await bySql("UPDATE tokens SET hash = ? WHERE name = 'ci'", readerHash);
    expect(await findBoth()).toEqual([admin.metadata, reader.metadata]);
    await bySql("DELETE FROM tokens WHERE name = 'ci'");
    expect(await findBoth()).toEqual([admin.metadata, null]);
  });

  async function bySqlOfStore(sql: string): Promise<void> {
    const database = (await loadSqlite()).open(join(folder, "secrets", "secrets.db"), { mode: "rw" });
    database.exec(sql);
    database.close();
  }
});

describe("a process that was killed, overtaken or rotates keys", () => {
  it("in a revocation has revoked once the rows are written", async () => {
    const { token } = await tokens.create(NEW);
    const other = (await tokens.create({ ...NEW, name: "stays" })).token;
    const dying = new StoredTokens({
      access,
      keys: manager.keys,
      now,
      store: {
        readAnchor: async (name) => await manager.store.readAnchor(name),
        async writeAnchor() {
          throw new Error("killed");
        },
      },
    });
    await expect(dying.revoke("ci")).rejects.toThrow("killed");
    const after = new StoredTokens({ access, ...manager, now });
    expect(await after.find(token)).toBe(null);
    expect(await after.find(other)).not.toBe(null);
    await after.create({ ...NEW, name: "next" });
    expect(await after.find(other)).not.toBe(null);
    expect((await manager.store.readAnchor("tokens"))?.counter).toBe(2);
  });

  it("makes its token in the epoch that a revocation has begun meanwhile", async () => {
    await tokens.create({ ...NEW, name: "a" });
    let isFirst = true;
    const overtaken = new StoredTokens({
      access,
      keys: manager.keys,
      now,
      store: {
        writeAnchor: async (...args) => await manager.store.writeAnchor(...args),
        async readAnchor(name) {
          const anchor = await manager.store.readAnchor(name);
          if (isFirst) {
            isFirst = false;
            await tokens.revoke("a");
          }
          return anchor;
        },
      },
    });
    const { token } = await overtaken.create(NEW);
    expect(await overtaken.find(token)).not.toBe(null);
    expect(await tokens.find(token)).not.toBe(null);
  });

  it("is no trouble for tokens that a rotation has outlived", async () => {
    const { token } = await tokens.create(NEW);
    await manager.keys.addDataKey();
    expect(await elsewhere(async (others) => await others.find(token))).not.toBe(null);
  });
});

describe("roles and what may be seen", () => {
  it("are what the documentation says", () => {
    expect(ROLES["reader"]).toEqual(["secrets:read"]);
    expect(Object.keys(ROLES)).toEqual(["reader", "writer", "revealer", "runner", "auditor", "admin"]);
  });

  it("narrow to prefixes and tags", () => {
    const secret = { name: parseSecretName("CI_TOKEN"), tags: ["a"] };
    const all = { prefixes: null, tags: null };
    expect([isNarrowed(all), isVisible(all, secret)]).toEqual([false, true]);
    expect(visibleOnly(all)).toEqual({ anyPrefix: undefined, anyTag: undefined });
    expect(isVisible({ prefixes: ["X", "CI_"], tags: ["b", "a"] }, secret)).toBe(true);
    expect(isVisible({ prefixes: ["CI_"], tags: ["b"] }, secret)).toBe(false);
    expect(isVisible({ prefixes: ["X"], tags: null }, secret)).toBe(false);
    expect(isVisible({ prefixes: [], tags: null }, secret)).toBe(false);
    expect(isNarrowed({ prefixes: null, tags: [] })).toBe(true);
  });
});
