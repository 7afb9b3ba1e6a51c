import { execFile } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  watch,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type EncryptedSecret, parseSecretName, type SecretStore } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { modeOf, run, temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";
import { bundle } from "./child.ts";
import { VERSION_1_FILE, version1Store } from "./version-1.ts";

const NOW = "2026-02-01T00:00:00.000Z";
const before = readFileSync(VERSION_1_FILE);
const { header: oldHeader, secrets: oldEntries } = JSON.parse(before.toString());
const macOf = ({ metadata, envelope }: EncryptedSecret) =>
  `${metadata.name}:${Buffer.from(envelope.nonce).toString("hex")}`;

async function allVersionsOf(store: SecretStore): Promise<readonly (readonly EncryptedSecret[])[]> {
  return await Promise.all((await store.ids()).map(async (id) => await store.versions(id)));
}

async function idOf(store: SecretStore, name: string): Promise<string> {
  return (await store.list({ name, state: "all" }))[0]?.id ?? "";
}

describe("a store of version 1", () => {
  it("reads as one of version 2 without macs, and is not touched", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    expect([await store.layout(), await store.readHeader(), await store.anchors()]).toEqual([1, oldHeader, []]);
    const all = await store.list({ state: "all" });
    const short = all.map(({ name, version, deletedAt }) => `${name}${version}${deletedAt === null ? "" : " deleted"}`);
    expect(short).toEqual([
      "API_KEY3",
      "BEARER1",
      "CUSTOM1",
      "DB_LOGIN1",
      "GONE2 deleted",
      "OAUTH2",
      "api_key1 deleted",
    ]);
    for (const metadata of all) {
      expect(metadata).toMatchObject({ revision: metadata.version, importedId: null, policy: null });
    }
    const id = await idOf(store, "API_KEY");
    const current = await store.get(parseSecretName("API_KEY"));
    expect(current).toMatchObject({ mac: null, envelope: { format: 1 }, metadata: { id, description: "für CI" } });
    expect(await store.find(id)).toEqual(current);
    expect((await store.versions(id)).map(({ metadata }) => [metadata.version, metadata.revision])).toEqual([
      [3, 3],
      [2, 3],
      [1, 3],
    ]);
    expect(await store.get(parseSecretName("GONE"))).toBe(null);
    expect(await store.versions(await idOf(store, "GONE"))).toHaveLength(2);
    const copy = `${path}.copy`;
    await store.backup(copy);
    await store.close();
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readFileSync(copy).equals(before)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["secrets.json", "secrets.json.copy"]);
  });

  it("takes nothing that only version 2 can keep", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    const secret = sampleSecret("NEW");
    const { nonce } = secret.envelope;
    const attempts = [
      async () => await store.put([{ secret, expected: null }], oldHeader),
      async () => await store.rewrite({ versions: [secret], nonces: [nonce], revision: 1 }, oldHeader),
      async () => await store.reencrypt([{ secret, nonce }], oldHeader),
      async () => await store.writeHeader("new", oldHeader),
      async () => await store.writeAnchor({ name: "audit", counter: 1, text: "", mac: "" }, null),
      async () => await store.bulkInsert([[secret]]),
    ];
    for (const attempt of attempts) await expect(attempt()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await store.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("stays one when secrets are deleted and purged, with all other entries as they were", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    const [bearer, gone] = [await idOf(store, "BEARER"), await idOf(store, "GONE")];
    expect(await store.delete(bearer, NOW)).toBe(true);
    expect(await store.delete(gone, NOW)).toBe(false);
    expect(await store.purge(await idOf(store, "OAUTH"))).toBe(true);
    expect(await store.purgeDeleted("2026-02-01T00:00:00.001Z")).toBe(1);
    expect([await store.layout(), await store.get(parseSecretName("BEARER"))]).toEqual([1, null]);
    await store.close();
    const kept = oldEntries.filter(({ name }: { name: string }) => name !== "OAUTH" && name !== "BEARER");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ format: 1, header: oldHeader, secrets: kept });
    expect(readdirSync(dirname(path))).toEqual(["secrets.json"]);
  });
});

describe("an upgrade", () => {
  it("gives every secret its mac, changes nothing else, and keeps what was there", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    const other = await openFileStore(path);
    const old = await allVersionsOf(store);
    expect(await store.upgrade("new", oldHeader, macOf)).toBe(true);
    for (const one of [store, other]) {
      expect([await one.layout(), await one.readHeader()]).toEqual([2, "new"]);
      const upgraded = old.map(([current, ...older]) => [current && { ...current, mac: macOf(current) }, ...older]);
      expect(await allVersionsOf(one)).toEqual(upgraded);
    }
    const backup = `${path}.v1.backup`;
    expect([readFileSync(backup).equals(before), modeOf(backup), modeOf(path)]).toEqual([true, "600", "600"]);
    expect(readdirSync(dirname(path))).toEqual(["secrets.json", "secrets.json.v1.backup"]);
    const secret = sampleSecret("GONE");
    await store.put([{ secret, expected: null }], "new");
    expect(await other.list({ name: "GONE", state: "all" })).toHaveLength(2);
    await store.close();
    await other.close();
  });

  it("of a store without header and secrets is one all the same", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    writeFileSync(path, '{\n  "format": 1,\n  "header": null,\n  "secrets": [\n  ]\n}\n');
    const store = await openFileStore(path);
    expect(await store.layout()).toBe(1);
    expect(await store.upgrade("new", null, macOf)).toBe(true);
    await putSecret(store, sampleSecret("A"));
    await store.close();
  });

  it("is not made under another header, nor twice, and asks for no mac then", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    const never = () => expect.unreachable();
    for (const header of [null, "another"]) expect(await store.upgrade("new", header, never)).toBe(false);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(await store.upgrade("new", oldHeader, macOf)).toBe(true);
    const after = readFileSync(path);
    for (const header of [oldHeader, "new", null]) expect(await store.upgrade("newer", header, never)).toBe(false);
    await store.close();
    expect(readFileSync(path).equals(after)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["secrets.json", "secrets.json.v1.backup"]);
  });

  it("that cannot authenticate a secret changes nothing", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    let count = 0;
    const fail = () => {
      if (count++ === 3) throw new RangeError("hunter2");
      return "mac";
    };
    const failed = { code: "STORE_UNAVAILABLE", message: expect.not.stringContaining("hunter2") };
    await expect(store.upgrade("new", oldHeader, fail)).rejects.toMatchObject(failed);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["secrets.json"]);
    expect(await store.upgrade("new", oldHeader, macOf)).toBe(true);
    await store.close();
  });

  it("that has lost its lock notices before it writes, and looks again", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    const other = version1Store();
    const faster = await openFileStore(other);
    await faster.upgrade("faster", oldHeader, () => "faster");
    await faster.close();
    const upgraded = await store.upgrade("new", oldHeader, () => {
      // Another process has taken the lock, as this one was stopped for too long.
      if (existsSync(other)) renameSync(other, path);
      return "slower";
    });
    expect([upgraded, await store.readHeader()]).toEqual([false, "faster"]);
    expect((await store.get(parseSecretName("BEARER")))?.mac).toBe("faster");
    await store.close();
  });

  it("keeps what is damaged and what we do not know, and gives the damaged no mac", async () => {
    const path = version1Store();
    const document = JSON.parse(before.toString());
    Object.assign(document.secrets[0], { type: "password" });
    Object.assign(document.secrets[1], { envelope: null, mac: "forged", revision: 9 });
    Object.assign(document.secrets[2], { colour: "red", older: "what is this?" });
    delete document.secrets[3].version;
    writeFileSync(path, JSON.stringify(document));
    const store = await openFileStore(path);
    const authenticated: string[] = [];
    const upgraded = await store.upgrade("new", oldHeader, (secret) => {
      authenticated.push(secret.metadata.name);
      return macOf(secret);
    });
    expect([upgraded, authenticated]).toEqual([true, ["CUSTOM", "GONE", "OAUTH", "api_key"]]);
    const { secrets } = JSON.parse(readFileSync(path, "utf8"));
    expect(secrets.slice(0, 4)).toMatchObject([
      { ...document.secrets[0], mac: null },
      { ...document.secrets[1], mac: null, revision: 1 },
      { ...document.secrets[2], revision: 1 },
      { ...document.secrets[3], mac: null, revision: null },
    ]);
    await expect(store.get(parseSecretName("API_KEY"))).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    expect(await store.get(parseSecretName("OAUTH"))).toMatchObject({ mac: expect.stringContaining("OAUTH:") });
    await store.close();
  });

  it("has a format that version 1 tells from its own before it looks at anything else", async () => {
    const path = version1Store();
    const store = await openFileStore(path);
    await store.upgrade("new", oldHeader, macOf);
    await store.close();
    // Version 1 says STORE_TOO_NEW for any JSON object with a whole number above 1 here.
    expect(JSON.parse(readFileSync(path, "utf8")).format).toBe(2);
  });
});

describe("the backup of an upgrade", () => {
  async function upgradeBeside(place: (backup: string) => void): Promise<string[]> {
    const path = version1Store();
    place(`${path}.v1.backup`);
    const store = await openFileStore(path);
    expect(await store.upgrade("new", oldHeader, macOf)).toBe(true);
    await store.close();
    const names = readdirSync(dirname(path)).filter((name) => name.startsWith("secrets.json.v1."));
    const last = join(
      dirname(path),
      names.includes("secrets.json.v1.2.backup") ? "secrets.json.v1.2.backup" : (names[0] ?? ""),
    );
    expect([readFileSync(last).equals(before), modeOf(last)]).toEqual([true, "600"]);
    return names;
  }

  it("may be there already, as a killed upgrade leaves it, and its drafts are swept", async () => {
    const names = await upgradeBeside((backup) => {
      copyFileSync(VERSION_1_FILE, backup);
      chmodSync(backup, 0o600);
      writeFileSync(`${backup}.999999999-5c0ff0d4-7f2f-4f3a-9d7e-0a8f5f5f4a11.draft`, "half");
    });
    expect(names).toEqual(["secrets.json.v1.backup"]);
  });

  it.each([
    ["another store", (backup: string) => writeFileSync(backup, "another", { mode: 0o600 })],
    ["half of the same", (backup: string) => writeFileSync(backup, before.subarray(0, 100), { mode: 0o600 })],
    ["one that others can read", (backup: string) => writeFileSync(backup, before, { mode: 0o644 })],
    ["a link to the same", (backup: string) => symlinkSync(VERSION_1_FILE, backup)],
    ["a folder", (backup: string) => mkdirSync(backup)],
  ])("takes the place of nothing: %s", async (_, place) => {
    expect(await upgradeBeside(place)).toEqual(["secrets.json.v1.2.backup", "secrets.json.v1.backup"]);
  });
});

describe("an upgrade by several processes", { tags: ["faults"] }, () => {
  it("is made once", async () => {
    const path = version1Store();
    const file = await bundle("upgrader.ts");
    const macs = ["one", "two", "three", "four"];
    const outcomes = await Promise.all(macs.map(async (mac) => await run(file, [path, mac])));
    expect(outcomes.toSorted()).toEqual(["false", "false", "false", "true"]);
    const store = await openFileStore(path);
    const found = new Set((await allVersionsOf(store)).map(([current]) => current?.mac));
    expect([...found]).toEqual([macs[outcomes.indexOf("true")]]);
    await store.close();
    expect(readdirSync(dirname(path))).toEqual(["secrets.json", "secrets.json.v1.backup"]);
  });

  it("that ends in the middle of one leaves the old store, and the next makes it", async () => {
    const path = version1Store();
    const file = await bundle("upgrader.ts");
    await expect(run(file, [path, "mac", "in the middle"])).rejects.toThrow();
    expect(readFileSync(path).equals(before)).toBe(true);
    await expectUpgradable(path);
  });

  it.each([
    ["begins its backup", /^secrets\.json\.v1\.backup\..*\.draft$/],
    ["has its backup", /^secrets\.json\.v1\.backup$/],
    ["writes the new store", /^secrets\.json\.\d.*\.draft$/],
  ])("that is killed when it %s leaves the old or the new store, whole", async (_, sign) => {
    const path = version1Store();
    // Larger, so that writing takes some time.
    const document = JSON.parse(before.toString());
    document.secrets[0].description = "x".repeat(900);
    document.secrets[0].colour = "x".repeat(5_000_000);
    writeFileSync(path, JSON.stringify(document));
    const old = readFileSync(path);
    const file = await bundle("upgrader.ts");
    const child = promisify(execFile)(process.execPath, [file, path, "mac"]);
    const watcher = watch(dirname(path), (_event, name) => {
      if (sign.test(name ?? "")) child.child.kill("SIGKILL");
    });
    await child.catch(() => undefined);
    watcher.close();
    const isNew = JSON.parse(readFileSync(path, "utf8")).format === 2;
    if (!isNew) expect(readFileSync(path).equals(old)).toBe(true);
    const backup = `${path}.v1.backup`;
    if (isNew || existsSync(backup)) {
      expect([readFileSync(backup).equals(old), modeOf(backup)]).toEqual([true, "600"]);
    }
    await expectUpgradable(path);
    expect(readdirSync(dirname(path))).toEqual(["secrets.json", "secrets.json.v1.backup"]);
  });

  /** Upgrades a store that a killed process has left, unless it has come to its end. */
  async function expectUpgradable(path: string): Promise<void> {
    const longAgo = new Date(Date.now() - 60_000);
    if (existsSync(`${path}.lock`)) utimesSync(`${path}.lock`, longAgo, longAgo);
    const store = await openFileStore(path);
    const wasOld = (await store.layout()) === 1;
    expect(await store.upgrade("upgraded", await store.readHeader(), () => "mac")).toBe(wasOld);
    expect([await store.layout(), await store.readHeader()]).toEqual([2, "upgraded"]);
    const macs = new Set((await allVersionsOf(store)).map(([current]) => current?.mac));
    expect([(await store.ids()).length, [...macs]]).toEqual([7, ["mac"]]);
    await putSecret(store, sampleSecret("NEW"));
    await store.close();
  }
});
