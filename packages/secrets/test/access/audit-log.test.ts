import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { bundleScript, run } from "@autokestra/test-kit";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { openDatabase } from "../../../sqlite/test/open-database.ts";
import { openAuditLog } from "../../src/access/audit-log.ts";
import { type AuditEvent, diagnoseAudit, openSecretsManager, rotateKeys } from "../../src/index.ts";
import { AuditedPlace, collect, secret, VALUE } from "./audited-place.ts";

let place: AuditedPlace;
beforeEach(() => {
  place = new AuditedPlace();
});

const EVENT: AuditEvent = {
  actor: { kind: "token", id: "ci", address: "192.0.2.7" },
  action: "refused",
  secret: { name: "A" },
  outcome: "refused",
  requestId: "r-1",
};

/** Ten reads, each with an HMAC, after what `set` leaves. */
async function tenReads(): Promise<void> {
  await place.set("A");
  await place.secrets(async (secrets) => {
    for (let count = 0; count < 10; count++) await secrets.get("A");
  });
}

describe("the audit log", () => {
  it("keeps every record of many at once in order, and nobody waits in vain where they cannot be written", async () => {
    await place.set("A");
    const before = (await place.told()).length;
    const access = join(place.options.storagePath, "access.db");
    await place.secrets(async (secrets) => {
      await Promise.all(Array.from({ length: 50 }, async () => await secrets.get("A")));
      renameSync(access, `${access}.away`);
      const outcomes = await Promise.allSettled(Array.from({ length: 5 }, async () => await secrets.get("A")));
      expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual(
        Array.from({ length: 5 }, () => "AUDIT_UNAVAILABLE"),
      );
      renameSync(`${access}.away`, access);
      await secrets.get("A");
    });
    expect((await place.told()).slice(before)).toEqual(Array.from({ length: 51 }, () => "read done A"));
    expect((await place.verify()).problem).toBe(null);
  });

  it("tells who read and changed what, in order, and never a value", async () => {
    await place.secrets(async (secrets) => {
      await secrets.create({ ...secret("A"), description: "what-it-is-for", tags: ["tag"] });
      await secrets.get("A");
      await secrets.describe("A");
      await secrets.edit("A", { description: "another-purpose" });
      await secrets.update(secret("A", `${VALUE}2`), 1);
      await secrets.rollback("A", 1);
      await secrets.rename("A", "B");
      await secrets.setAll([secret("C"), secret("D")]);
      await secrets.delete("B");
      await secrets.restore("B");
      await secrets.delete("B", { purge: true });
      await secrets.list();
      await secrets.find("C");
      await secrets.versions("C");
    });
    expect(await place.told()).toEqual([
      "create intent A",
      "create done A",
      "read done A",
      "describe done A",
      "edit intent A",
      "edit done A",
      "update intent A",
      "update done A",
      "rollback intent A",
      "rollback done A",
      "rename intent A",
      "rename done B",
      "import intent C",
      "import intent D",
      "import done C",
      "import done D",
      "delete intent B",
      "delete done B",
      "restore intent B",
      "restore done B",
      "purge intent B",
      "purge done B",
    ]);
    const [, created, read] = await place.records();
    expect(read).toMatchObject({
      seq: 3,
      actor: { kind: "user", id: "alice", address: null },
      secret: { name: "A", id: created?.secret?.id, version: "1", fields: ["value"] },
      source: "store",
      requestId: null,
      execution: null,
    });
    for (const name of readdirSync(place.options.storagePath)) {
      const content = readFileSync(join(place.options.storagePath, name)).toString("latin1");
      if (!name.startsWith("secrets.db"))
        for (const text of [VALUE, "what-it-is-for", "another-purpose"]) expect(content).not.toContain(text);
    }
    expect(await place.verify()).toMatchObject({ records: 22, problem: null, uncovered: 0 });
  });

  it("tells what failed, with its code, and keeps no name that is none", async () => {
    await place.secrets(async (secrets) => {
      await secrets.set(secret("A"));
      await expect(secrets.create(secret("A"))).rejects.toMatchObject({ code: "SECRET_EXISTS" });
      await expect(secrets.get("B")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
      await expect(secrets.get("=a value in its place")).rejects.toMatchObject({ code: "NAME_INVALID" });
      await expect(secrets.set(secret("no\nname"))).rejects.toMatchObject({ code: "NAME_INVALID" });
      await expect(secrets.delete("B")).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
    });
    expect((await place.told()).slice(2)).toEqual([
      "create intent A",
      "create SECRET_EXISTS A",
      "read SECRET_NOT_FOUND B",
      "read NAME_INVALID",
      "set intent",
      "set NAME_INVALID",
      "delete intent B",
      "delete SECRET_NOT_FOUND B",
    ]);
  });

  it("chains what happens without the key, and the next record with an HMAC covers it", async () => {
    await place.set("A");
    const wrong = { keyFile: join(place.root, "other.key") };
    writeFileSync(wrong.keyFile, `${"ab".repeat(31)}cd`, { mode: 0o600 });
    await expect(place.secrets(async (secrets) => await secrets.get("A"), wrong)).rejects.toMatchObject({
      code: "KEY_WRONG",
    });
    await place.secrets(async (secrets) => await secrets.delete("A"), place.withoutKey());
    const macs = (await place.records()).slice(2).map(({ outcome, mac }) => [outcome, mac]);
    expect(macs).toEqual([
      ["KEY_WRONG", null],
      ["intent", null],
      ["done", null],
    ]);
    expect(await place.verify()).toMatchObject({ records: 5, uncovered: 3, problem: null });
    await place.secrets(async (secrets) => await secrets.restore("A"));
    expect(await place.verify()).toMatchObject({ records: 7, uncovered: 0, problem: null });
  });

  it("verifies before the store has keys, and the first HMAC covers what happened until then", async () => {
    const missing = { code: "SECRET_NOT_FOUND" };
    await place.secrets(async (secrets) => await expect(secrets.get("A")).rejects.toMatchObject(missing));
    await place.secrets(async (secrets) => await expect(secrets.describe("A")).rejects.toMatchObject(missing));
    expect(await place.use(async ({ audit }) => await audit.restart())).toBe(0);
    expect(await place.verify()).toMatchObject({ records: 2, authenticated: 0, uncovered: 2, problem: null });
    expect(await place.use(diagnoseAudit)).toMatchObject({
      status: "ok",
      message: "on, 2 records: verified; the store remembers none of them yet",
    });
    await place.set("A");
    expect(await place.verify()).toMatchObject({ records: 4, uncovered: 0, problem: null });
  });

  it.each([
    ["changed", "UPDATE audit SET actor_id = 'mallory' WHERE seq = 1", { seq: 1, until: 2 }],
    ["removed", "DELETE FROM audit WHERE seq = 1", { seq: 1, until: 1 }],
    [
      "signed with a key of another store",
      "UPDATE audit SET mac = 'ffffffff:AAAA' WHERE seq = 2",
      { seq: 1, until: 2 },
    ],
  ])("finds what was %s before the store has keys", async (_, statement, problem) => {
    const missing = { code: "SECRET_NOT_FOUND" };
    await place.secrets(async (secrets) => await expect(secrets.get("A")).rejects.toMatchObject(missing));
    await place.secrets(async (secrets) => await expect(secrets.get("A")).rejects.toMatchObject(missing));
    await place.attack((database) => database.exec(statement));
    expect((await place.verify()).problem).toMatchObject(problem);
  });

  it("still verifies once the master key and the data key were rotated", async () => {
    await tenReads();
    await rotateKeys(place.options, { dataKey: true });
    await place.secrets(async (secrets) => await secrets.get("A"));
    await rotateKeys(place.options, {});
    expect((await place.told()).slice(-5)).toEqual([
      "keys.rotate intent",
      "keys.rotate done",
      "read done A",
      "keys.rotate intent",
      "keys.rotate done",
    ]);
    expect(await place.verify()).toMatchObject({ problem: null, records: 17 });
  });

  it("is one for many callers, with what they bring", async () => {
    await place.use(async (manager) => {
      const { audit } = manager;
      const token = manager.as({ actor: EVENT.actor, requestId: "r-7" });
      await token.set(secret("A"));
      await manager.as({ actor: { kind: "jwt", id: "bob", address: null }, execution: "run-1" }).get("A");
      await audit.record(EVENT);
      expect(audit.state()).toEqual({ recorded: 4, failed: 0, sinkFailed: 0 });
    });
    const records = await place.records();
    expect(records.map(({ actor, requestId, execution }) => [actor.id, requestId, execution])).toEqual([
      ["ci", "r-7", null],
      ["ci", "r-7", null],
      ["bob", null, "run-1"],
      ["ci", "r-1", null],
    ]);
  });

  it("finds records by name, actor, action, run and time, and the last ones of them", async () => {
    await tenReads();
    await place.use(async ({ audit, secrets }) => {
      await audit.record(EVENT, { ...EVENT, time: "2099-01-01T00:00:00.000Z", execution: "run-1" });
      await secrets.set(secret("B"));
      const seqs = async (filter: Parameters<typeof audit.records>[0]) =>
        (await collect(audit.records(filter))).map(({ seq }) => seq);
      expect(await seqs({ secret: "B" })).toEqual([15, 16]);
      expect(await seqs({ actor: "ci" })).toEqual([13, 14]);
      expect(await seqs({ action: "read", after: 8, limit: 3 })).toEqual([9, 10, 11]);
      expect(await seqs({ action: "read", newest: true, limit: 2 })).toEqual([11, 12]);
      expect(await seqs({ newest: true, limit: 100 })).toHaveLength(16);
      expect(await seqs({ execution: "run-1", actor: "ci" })).toEqual([14]);
      expect(await seqs({ since: "2098-01-01T00:00:00.000Z" })).toEqual([14]);
      expect(await seqs({ limit: 0 })).toEqual([]);
    });
  });

  it("keeps texts of strangers whole as far as they are short, and cuts them", async () => {
    const id = '=cmd|"/C calc"!A0\n\0\ud800';
    await place.use(async ({ audit }) => {
      await audit.record({
        ...EVENT,
        actor: { kind: "token", id, address: "x".repeat(1000) },
        secret: { name: "a\nb" },
      });
    });
    const [record] = await place.records();
    expect(record?.actor).toEqual({ kind: "token", id: '=cmd|"/C calc"!A0\n\ufffd\ufffd', address: "x".repeat(300) });
    expect(record?.secret?.name).toBe("a\nb");
    await place.set("A");
    expect(await place.verify()).toMatchObject({ problem: null });
  });

  it("names the fields that were handed on, where the caller says so", async () => {
    const fields = { username: "kim", password: VALUE };
    await place.secrets(async (secrets) => {
      await secrets.set({ name: "DB", type: "basicAuth", fields });
      expect((await secrets.get("DB", { fields: ["password", "other"] })).fields).toEqual(fields);
      await secrets.get("DB");
    });
    const read = (await place.records()).filter(({ action }) => action === "read");
    expect(read.map((record) => record.secret?.fields)).toEqual([["password"], ["username", "password"]]);
  });

  it("lies beside a file store, too", async () => {
    const file = { backend: "file" };
    await place.secrets(async (secrets) => await secrets.set(secret("A")), file);
    await place.secrets(async (secrets) => await secrets.get("A"), file);
    expect(await place.verify()).toMatchObject({ records: 3, anchoredAt: 3, problem: null });
    expect(readdirSync(place.options.storagePath)).toContain("secrets.json");
  });

  it("is anchored after 10 seconds", async () => {
    await place.set("A");
    await place.use(async ({ secrets, store }) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      onTestFinished(() => void vi.useRealTimers());
      await secrets.get("A");
      await vi.advanceTimersByTimeAsync(9900);
      expect((await store.readAnchor("audit"))?.counter).toBe(2);
      await vi.advanceTimersByTimeAsync(200);
      vi.useRealTimers();
      await expect.poll(async () => (await store.readAnchor("audit"))?.counter).toBe(3);
    });
  });

  it("goes on where the store cannot be told of its end, and tells it later", async () => {
    await place.set("A");
    await place.use(async ({ secrets, store }) => {
      const write = vi.spyOn(store, "writeAnchor").mockRejectedValueOnce(new Error("the disk is full"));
      for (let count = 0; count < 120; count++) await secrets.get("A");
      expect(write).toHaveBeenCalled();
    });
    expect(await place.verify()).toMatchObject({ records: 122, anchoredAt: 122, problem: null });
  });

  it("is anchored every 100 records, and at the end", async () => {
    await place.use(async ({ audit, secrets, store }) => {
      // Here no 10 seconds go by, however slow the disk is.
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      onTestFinished(() => void vi.useRealTimers());
      await secrets.set(secret("A"));
      expect((await store.readAnchor("audit"))?.counter).toBe(1);
      for (let count = 0; count < 98; count++) await audit.record(EVENT);
      await expect.poll(async () => (await store.readAnchor("audit"))?.counter).toBe(100);
      await audit.record(EVENT);
      expect((await store.readAnchor("audit"))?.counter).toBe(100);
    });
    expect(await place.verify()).toMatchObject({ anchoredAt: 101, records: 101, problem: null });
  });
});

describe("a log of several processes", () => {
  it("is one chain, with a record of each of them", async () => {
    await place.set("A");
    const library = createRequire(new URL("../../../sqlite/package.json", import.meta.url)).resolve("better-sqlite3");
    const writer = await bundleScript(new URL("audit-writer.ts", import.meta.url), { "better-sqlite3": library });
    const { storagePath, env } = place.options;
    const ids = ["one", "two", "three"];
    const ended = ids.map(async (id) => await run(writer, [storagePath, env?.["HOME"] ?? "", id, "40"]));
    expect(await Promise.all(ended)).toEqual(["done", "done", "done"]);
    const records = await place.records();
    for (const id of ids) expect(records.filter(({ actor }) => actor.id === id)).toHaveLength(40);
    expect(await place.verify()).toMatchObject({ records: 122, uncovered: 0, anchoredAt: 122, problem: null });
  });
});

describe("attacks on the audit log", () => {
  type Attack = (place: AuditedPlace) => Promise<void>;
  const sql =
    (text: string): Attack =>
    async (at) =>
      await at.attack((database) => database.exec(text));
  const moveUp = "UPDATE audit SET seq = seq + 1000 WHERE seq >= 5; UPDATE audit SET seq = seq - 999 WHERE seq > 1000";

  it.each<[string, Attack, { seq: number; until: number; reason: RegExp }]>([
    ["changed", sql("UPDATE audit SET actor_id = 'mallory' WHERE seq = 5"), { seq: 5, until: 5, reason: /changed/ }],
    [
      "the last one changed",
      sql("UPDATE audit SET outcome = 'intent' WHERE seq = 12"),
      { seq: 12, until: 12, reason: /changed/ },
    ],
    [
      "two swapped",
      sql(
        "UPDATE audit SET seq = 99 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 99",
      ),
      { seq: 5, until: 5, reason: /changed/ },
    ],
    ["removed", sql("DELETE FROM audit WHERE seq = 5"), { seq: 5, until: 5, reason: /removed/ }],
    [
      "removed, and those after it moved up",
      sql("DELETE FROM audit WHERE seq = 5; UPDATE audit SET seq = seq - 1 WHERE seq > 5"),
      { seq: 5, until: 5, reason: /changed/ },
    ],
    ["removed from the front", sql("DELETE FROM audit WHERE seq < 4"), { seq: 1, until: 3, reason: /front/ }],
    [
      "put in before one with an HMAC",
      sql(
        `${moveUp}; INSERT INTO audit (seq, time, actor_kind, action, outcome, prev) SELECT 5, time, 'user', 'read', 'done', prev FROM audit WHERE seq = 6`,
      ),
      { seq: 5, until: 6, reason: /put in/ },
    ],
    [
      "the end cut before its last anchor",
      sql("DELETE FROM audit WHERE seq > 9"),
      { seq: 10, until: 12, reason: /end/ },
    ],
    ["all of it removed", sql("DELETE FROM audit"), { seq: 1, until: 12, reason: /end/ }],
    [
      "an HMAC forged",
      sql("UPDATE audit SET mac = substr(mac, 1, 9) || 'AAAA' || substr(mac, 14) WHERE seq = 5"),
      { seq: 5, until: 5, reason: /HMAC/ },
    ],
    [
      "an HMAC taken away",
      sql("UPDATE audit SET mac = NULL, actor_id = 'mallory' WHERE seq = 5"),
      { seq: 5, until: 5, reason: /changed/ },
    ],
    [
      "the HMAC of another record",
      sql("UPDATE audit SET mac = (SELECT mac FROM audit WHERE seq = 4) WHERE seq = 5"),
      { seq: 5, until: 5, reason: /HMAC/ },
    ],
    [
      "a field list that is none",
      sql("UPDATE audit SET secret_fields = 'x' WHERE seq = 5"),
      { seq: 5, until: 5, reason: /changed/ },
    ],
    [
      "the first one names another before it",
      sql("UPDATE audit SET prev = 'x', mac = NULL WHERE seq = 1"),
      { seq: 1, until: 1, reason: /before it/ },
    ],
    [
      "the end replaced by records without HMAC",
      sql("UPDATE audit SET mac = NULL, actor_id = 'mallory' WHERE seq = 12"),
      { seq: 12, until: 12, reason: /remembers/ },
    ],
    [
      "the anchor removed",
      async (at) => await at.attack((database) => database.exec("DELETE FROM anchors"), "secrets.db"),
      { seq: 12, until: 12, reason: /nothing of the log/ },
    ],
    [
      "the anchor set back",
      async (at) => await at.attack((database) => database.exec("UPDATE anchors SET counter = 9"), "secrets.db"),
      { seq: 12, until: 12, reason: /was changed/ },
    ],
  ])("%s", async (_, attack, problem) => {
    await tenReads();
    expect(await place.verify()).toMatchObject({ records: 12, problem: null });
    await attack(place);
    expect((await place.verify()).problem).toEqual({ ...problem, reason: expect.stringMatching(problem.reason) });
  });

  it("a log signed under the key of another store", async () => {
    await tenReads();
    const other = new AuditedPlace();
    await other.set("A");
    await other.secrets(async (secrets) => await secrets.get("A"));
    for (const name of readdirSync(place.options.storagePath).filter((file) => file.startsWith("access.db"))) {
      rmSync(join(place.options.storagePath, name));
    }
    renameSync(join(other.options.storagePath, "access.db"), join(place.options.storagePath, "access.db"));
    expect((await place.verify()).problem).toMatchObject({
      seq: 1,
      until: 2,
      reason: expect.stringMatching(/another store/),
    });
  });

  it("a record without an HMAC that was changed is named, with those that it may be", async () => {
    await place.set("A");
    await place.use(async ({ audit }) => await audit.record(EVENT, EVENT, EVENT), place.withoutKey());
    await place.secrets(async (secrets) => await secrets.get("A"));
    await place.attack((database) => database.exec("UPDATE audit SET actor_id = 'mallory' WHERE seq = 4"));
    expect((await place.verify()).problem).toMatchObject({ seq: 3, until: 5 });
  });

  it("a trigger that removes each record as it is written lets no value go out, also while the log is open", async () => {
    await place.set("A");
    const access = join(place.options.storagePath, "access.db");
    await place.secrets(async (secrets) => {
      await secrets.get("A");
      const database = openDatabase(access);
      database.exec("CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit WHERE seq = new.seq; END");
      database.close();
      await expect(secrets.get("A")).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
    });
    await place.secrets(async (secrets) => {
      await expect(secrets.get("A")).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
      expect(await secrets.list()).toHaveLength(1);
    });
  });

  it("what is put in at the very end, without a key, cannot be told, and is counted", async () => {
    await tenReads();
    await place.use(async ({ audit }) => await audit.record(EVENT), place.withoutKey());
    expect(await place.verify()).toMatchObject({ uncovered: 1, problem: null });
  });
});

describe("a log that has lost its end", () => {
  it("gives nothing out until it is put back, or begun again with a signed record of the loss", async () => {
    await tenReads();
    await place.attack((database) => database.exec("DELETE FROM audit WHERE seq > 5"));
    await expect(place.secrets(async (secrets) => await secrets.get("A"))).rejects.toMatchObject({
      code: "AUDIT_UNAVAILABLE",
      message: expect.stringContaining("ends at record 5, and the store remembers record 12"),
    });
    await expect(place.set("B")).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE" });
    expect(await place.secrets(async (secrets) => (await secrets.list()).map(({ name }) => name))).toEqual(["A"]);
    expect(await place.use(async ({ audit }) => await audit.restart())).toBe(7);
    expect(await place.use(async ({ audit }) => await audit.restart())).toBe(0);
    await place.secrets(async (secrets) => await secrets.get("A"));
    expect(await place.verify()).toMatchObject({ records: 7, lost: 7, last: 14, problem: null });
  });

  it("also where all of it is gone", async () => {
    await tenReads();
    for (const name of readdirSync(place.options.storagePath)) {
      if (name.startsWith("access.db")) rmSync(join(place.options.storagePath, name));
    }
    await expect(place.secrets(async (secrets) => await secrets.get("A"))).rejects.toMatchObject({
      code: "AUDIT_UNAVAILABLE",
    });
    expect(await place.use(async ({ audit }) => await audit.restart())).toBe(12);
    expect(await place.verify()).toMatchObject({ records: 1, lost: 12, first: 13, problem: null });
  });

  it("while it is open", async () => {
    await place.set("A");
    await place.use(async ({ secrets, audit }) => {
      await secrets.get("A");
      for (const name of readdirSync(place.options.storagePath)) {
        if (name.startsWith("access.db")) rmSync(join(place.options.storagePath, name));
      }
      await expect(secrets.get("A")).rejects.toMatchObject({ code: "AUDIT_UNAVAILABLE", message: /moved or removed/ });
      expect(await secrets.list()).toHaveLength(1);
      expect(audit.state().failed).toBe(1);
    });
  });
});

describe("pruning", () => {
  it("removes records from the front, and leaves a signed record of that", async () => {
    await tenReads();
    const before = (await place.records())[5]?.time ?? "";
    const removed = await place.use(async ({ audit }) => await audit.prune(before));
    expect(removed).toBeLessThanOrEqual(5);
    const report = await place.verify();
    expect(report).toMatchObject({ first: removed + 1, last: 13, problem: null });
    expect(await place.use(async ({ audit }) => await audit.prune("2000-01-01T00:00:00.000Z"))).toBe(0);
    expect(await place.use(async ({ audit }) => await audit.prune("2100-01-01T00:00:00.000Z"))).toBe(13 - removed);
    expect(await place.verify()).toMatchObject({ records: 1, first: 14, problem: null });
    await place.attack((database) => database.exec("UPDATE audit SET source = '14:' || prev WHERE seq = 14"));
    expect((await place.verify()).problem).not.toBe(null);
  });

  it("happens by itself once records are older than they are kept", async () => {
    await place.use(async ({ audit }) => {
      await audit.record(
        { ...EVENT, time: "2020-01-01T00:00:00.000Z" },
        { ...EVENT, time: "2020-01-02T00:00:00.000Z" },
      );
    });
    await place.set("A");
    expect(await place.told()).toEqual(["set intent A", "set done A", "audit.prune done"]);
    expect(await place.verify()).toMatchObject({ first: 3, problem: null });
  });

  it("of nothing does nothing", async () => {
    await place.use(async ({ secrets, audit }) => {
      await expect(audit.prune("2100-01-01T00:00:00.000Z")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await secrets.set(secret("A"));
    });
  });
});

describe("where the log is off", () => {
  it("nothing is recorded, made or loaded", async () => {
    await place.set("A");
    const manager = await openSecretsManager({ ...place.options, audit: false });
    await manager.as({ actor: EVENT.actor }).get("A");
    expect(manager.as({ actor: EVENT.actor })).toBe(manager.secrets);
    expect(manager.audit).toBe(null);
    await manager.secrets.close();
    expect(await place.told()).toHaveLength(2);
  });

  it.each<[string | undefined, boolean | undefined, boolean]>([
    ["on", undefined, true],
    ["off", true, false],
    [undefined, true, true],
    ["", false, false],
    [undefined, undefined, false],
  ])("AUTOKESTRA_AUDIT=%s, configuration %s: %s", async (text, on, expected) => {
    const env = { ...place.options.env, ...(text !== undefined && { AUTOKESTRA_AUDIT: text }) };
    const { storagePath } = place.options;
    const manager = await openSecretsManager({
      env,
      storagePath,
      defaults: { ...(on !== undefined && { audit: { on } }) },
    });
    expect(manager.audit !== null).toBe(expected);
    await manager.secrets.close();
  });

  it("AUTOKESTRA_AUDIT=maybe is refused", async () => {
    const opening = openSecretsManager({ env: { HOME: place.root, AUTOKESTRA_AUDIT: "maybe" } });
    await expect(opening).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

it("knows a log by its folder alone", async () => {
  const store = { readAnchor: async () => null, writeAnchor: async () => true };
  const keyring = async () => await Promise.reject(new Error("no key"));
  const keys = { opened: () => null, keyring, keyringIfAny: keyring };
  const log = await openAuditLog({ folder: join(place.root, "secrets"), store, keys });
  await log.record();
  await log.close();
  expect(await place.told()).toEqual([]);
});
