import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseSecretName } from "@autokestra/secrets-core";
import { putSecret, sampleSecret } from "@autokestra/secrets-core/testing";
import { temporaryFolder } from "@autokestra/test-kit";
import { describe, expect, it } from "vitest";
import { openFileStore } from "../src/index.ts";

const A = parseSecretName("A");
const ID_A = sampleSecret("A").metadata.id;
const ID_B = sampleSecret("B").metadata.id;
const NOW = "2026-02-01T00:00:00.000Z";

const documentOf = (parts: object) => JSON.stringify({ format: 2, header: null, secrets: [], anchors: [], ...parts });

describe("a file that is not a store", () => {
  it.each([
    ["an empty file", (path: string) => truncateSync(path, 0)],
    ["a text", (path: string) => writeFileSync(path, "GITHUB_TOKEN=abc\n")],
    ["zeros", (path: string) => writeFileSync(path, Buffer.alloc(4096))],
    [
      "bytes that are no UTF-8",
      (path: string) => writeFileSync(path, '{"format":2,"header":"\xff","secrets":[],"anchors":[]}', "latin1"),
    ],
    ["a zeroed page", (path: string) => writeFileSync(path, readFileSync(path).fill(0, 0, 100))],
    ["a merge conflict", (path: string) => writeFileSync(path, `<<<<<<< HEAD\n${readFileSync(path, "utf8")}`)],
    ["a list", (path: string) => writeFileSync(path, "[]")],
    ["null", (path: string) => writeFileSync(path, "null")],
    ["another JSON", (path: string) => writeFileSync(path, '{"name":"left-pad"}')],
    ["format 0", (path: string) => writeFileSync(path, '{"format":0,"header":null,"secrets":[]}')],
    ["format 1.5", (path: string) => writeFileSync(path, '{"format":1.5,"header":null,"secrets":[]}')],
    ["format 1 with anchors", (path: string) => writeFileSync(path, documentOf({ format: 1 }))],
    ["format 2 without anchors", (path: string) => writeFileSync(path, documentOf({ anchors: undefined }))],
    ["no header", (path: string) => writeFileSync(path, documentOf({ header: undefined }))],
    ["a header that is no text", (path: string) => writeFileSync(path, documentOf({ header: 7 }))],
    ["no secrets", (path: string) => writeFileSync(path, documentOf({ secrets: undefined }))],
    ["secrets by name", (path: string) => writeFileSync(path, documentOf({ secrets: {} }))],
    ["an unknown part", (path: string) => writeFileSync(path, documentOf({ x: 1 }))],
    ["a nameless secret", (path: string) => writeFileSync(path, documentOf({ secrets: [{ id: "1" }] }))],
    [
      "two of one id",
      (path: string) => writeFileSync(path, documentOf({ secrets: ["A", "B"].map((name) => ({ id: "1", name })) })),
    ],
    [
      "two of one name",
      (path: string) => writeFileSync(path, documentOf({ secrets: ["1", "2"].map((id) => ({ id, name: "A" })) })),
    ],
    ["a nameless anchor", (path: string) => writeFileSync(path, documentOf({ anchors: [{}] }))],
    [
      "two anchors of one name",
      (path: string) => writeFileSync(path, documentOf({ anchors: [{ name: "a" }, { name: "a" }] })),
    ],
  ])("is STORE_CORRUPT and stays as it is: %s", async (_, damage) => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    damage(path);
    const before = readFileSync(path);
    const corrupt = { code: "STORE_CORRUPT", message: expect.stringContaining(path) };
    await expect(openFileStore(path)).rejects.toMatchObject(corrupt);
    await expect(store.get(A)).rejects.toMatchObject(corrupt);
    await expect(store.list()).rejects.toMatchObject(corrupt);
    await expect(store.readHeader()).rejects.toMatchObject(corrupt);
    await expect(putSecret(store, sampleSecret("B"))).rejects.toMatchObject(corrupt);
    await expect(store.delete(ID_A, NOW)).rejects.toMatchObject(corrupt);
    await store.close();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("is STORE_CORRUPT wherever it was cut", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    await store.close();
    const whole = readFileSync(path);
    // Only the last newline may be missing.
    for (let length = 0; length < whole.length - 1; length += 1) {
      writeFileSync(path, whole.subarray(0, length));
      await expect(openFileStore(path)).rejects.toMatchObject({ code: "STORE_CORRUPT" });
    }
  });

  it("is STORE_TOO_NEW and stays as it is where its format is newer", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    const newer = '{"format":3,"vaults":{}}';
    writeFileSync(path, newer, { mode: 0o600 });
    const tooNew = { code: "STORE_TOO_NEW", message: expect.stringContaining("format 3") };
    await expect(openFileStore(path)).rejects.toMatchObject(tooNew);
    await expect(putSecret(store, sampleSecret("A"))).rejects.toMatchObject(tooNew);
    await store.close();
    expect(readFileSync(path, "utf8")).toBe(newer);
  });
});

describe("an entry that no store has written", () => {
  const entryA = (path: string): Record<string, unknown> => JSON.parse(readFileSync(path, "utf8")).secrets[0];
  const afterA = { id: ID_A, revision: 1 };

  async function tampered(change: object) {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    await putSecret(store, sampleSecret("A"));
    await putSecret(store, sampleSecret("B"));
    const document = JSON.parse(readFileSync(path, "utf8"));
    Object.assign(document.secrets[0], change);
    writeFileSync(path, JSON.stringify(document));
    return { path, store };
  }

  const damaged = { code: "STORE_CORRUPT", message: expect.stringContaining("Secret 'A' is damaged") };

  it.each([
    { type: "password" },
    { revision: 0 },
    { policy: {} },
    { tags: {} },
    { tags: [1] },
    { version: 0 },
    { createdAt: "yesterday" },
    { expiresAt: undefined },
    { description: "\n" },
  ])("is named, kept as it is, and does not hide the others: %j", async (change) => {
    const { path, store } = await tampered(change);
    const before = entryA(path);
    await expect(store.get(A)).rejects.toMatchObject(damaged);
    await expect(store.find(ID_A)).rejects.toMatchObject(damaged);
    await expect(store.versions(ID_A)).rejects.toMatchObject(damaged);
    await expect(store.list()).rejects.toMatchObject(damaged);
    expect(await store.ids()).toEqual([ID_A, ID_B].sort());
    for (const filter of [{ name: "B" }, { prefix: "B" }]) expect(await store.list(filter)).toHaveLength(1);
    expect(await store.list({ after: "A" })).toEqual([sampleSecret("B").metadata]);
    expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
    await putSecret(store, sampleSecret("C"));
    expect(entryA(path)).toEqual(before);
    await expect(putSecret(store, sampleSecret("A", { version: 2 }), afterA)).rejects.toMatchObject(damaged);
    expect(await store.delete(ID_A, NOW)).toBe(true);
    expect(await store.purgeDeleted("2099-01-01T00:00:00.000Z")).toBe(0);
    expect(entryA(path)).toEqual({ ...before, deletedAt: NOW });
    expect(await store.purge(ID_A)).toBe(true);
    expect((await store.list()).map((metadata) => metadata.name)).toEqual(["B", "C"]);
    await store.close();
  });

  it.each([{ envelope: null }, { envelope: {} }, { envelope: { format: 1, keyId: "0badcafe", nonce: "####" } }])(
    "is listed with the others where only its envelope is damaged: %j",
    async (change) => {
      const { store } = await tampered(change);
      await expect(store.get(A)).rejects.toMatchObject(damaged);
      expect(await store.list()).toEqual([sampleSecret("A").metadata, sampleSecret("B").metadata]);
      await store.close();
    },
  );

  it.each([{ id: "no uuid" }, { id: undefined }, { id: 7 }])(
    "is found by what it has where its id is damaged: %j",
    async (change) => {
      const { path, store } = await tampered(change);
      const id = typeof change.id === "string" ? change.id : "A";
      const before = entryA(path);
      await expect(store.get(A)).rejects.toMatchObject(damaged);
      await expect(store.find(id)).rejects.toMatchObject(damaged);
      expect(await store.ids()).toEqual([id, ID_B].sort());
      expect(await store.get(parseSecretName("B"))).toEqual(sampleSecret("B"));
      await putSecret(store, sampleSecret("C"));
      expect(entryA(path)).toEqual(before);
      expect(await store.purge(id)).toBe(true);
      expect(await store.list()).toHaveLength(2);
      await store.close();
    },
  );

  it.each([{ older: null }, { older: {} }, { older: undefined }])(
    "can be read and changed in place, but gets no new version, where its older versions cannot be read: %j",
    async (change) => {
      const { path, store } = await tampered(change);
      const before = entryA(path);
      expect(await store.get(A)).toEqual(sampleSecret("A"));
      await expect(store.versions(ID_A)).rejects.toMatchObject(damaged);
      await expect(putSecret(store, sampleSecret("A", { version: 2 }), afterA)).rejects.toMatchObject(damaged);
      expect(entryA(path)).toEqual(before);
      const edited = sampleSecret("A", { revision: 2, description: "edited" });
      const nonces = [sampleSecret("A").envelope.nonce];
      await store.rewrite({ versions: [edited], nonces, revision: 1 }, null);
      expect(await store.get(A)).toEqual(edited);
      expect(entryA(path)["older"]).toEqual(before["older"]);
      await store.close();
    },
  );

  it("keeps what we do not know, and older versions that are damaged, through every change", async () => {
    const broken = [{ version: 0, x: 1 }, "what is this?"];
    const { path, store } = await tampered({ version: 3, colour: "red", older: broken });
    const { nonce } = sampleSecret("A").envelope;
    const at = (revision: number, deletedAt: string | null = null) => ({
      ...sampleSecret("A", { version: 3, revision, deletedAt }),
      envelope: sampleSecret("A").envelope,
    });
    await store.delete(ID_A, NOW);
    await store.rewrite({ versions: [at(2)], nonces: [nonce], revision: 1 }, null);
    await store.rewrite({ versions: [at(3, NOW)], nonces: [nonce], revision: 2 }, null);
    await store.rewrite({ versions: [at(4)], nonces: [nonce], revision: 3 }, null);
    await store.reencrypt([{ secret: sampleSecret("A", { version: 3, revision: 4 }), nonce }], null);
    expect(entryA(path)).toMatchObject({ version: 3, colour: "red", older: broken });
    expect(await store.get(A)).toEqual(sampleSecret("A", { version: 3, revision: 4 }));
    await putSecret(store, sampleSecret("A", { version: 4, revision: 5 }), { id: ID_A, revision: 4 });
    expect(entryA(path)).toMatchObject({ version: 4, older: [{ version: 3, colour: "red" }, ...broken] });
    await store.close();
  });

  it("may be an anchor: it is an error, hides no other, and what we do not know of another is kept", async () => {
    const path = join(temporaryFolder(), "secrets.json");
    const store = await openFileStore(path);
    const anchors = [
      { name: "audit", counter: -1 },
      { name: "tokens", counter: 1, text: "", mac: "", colour: "red" },
    ];
    writeFileSync(path, documentOf({ anchors }));
    const corrupt = { code: "STORE_CORRUPT" };
    await expect(store.readAnchor("audit")).rejects.toMatchObject(corrupt);
    await expect(store.anchors()).rejects.toMatchObject(corrupt);
    const audit = { name: "audit", counter: 1, text: "", mac: "" };
    await expect(store.writeAnchor(audit, null)).rejects.toMatchObject(corrupt);
    const tokens = { name: "tokens", counter: 2, text: "next", mac: "mac" };
    expect(await store.writeAnchor(tokens, 1)).toBe(true);
    expect(await store.readAnchor("tokens")).toEqual(tokens);
    expect(JSON.parse(readFileSync(path, "utf8")).anchors).toEqual([anchors[0], { ...tokens, colour: "red" }]);
    await store.close();
  });
});
