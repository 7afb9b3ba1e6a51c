import { cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wrapWithPassphrase } from "@autokestra/secrets-crypto/internal";
import { temporaryFolder } from "@autokestra/test-kit";
import * as age from "age-encryption";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { backUpStore, openSecrets, restoreBackup, rotateKeys, type SecretsOptions } from "../src/index.ts";
import { readStored } from "./stored-content.ts";

const PASSPHRASE = "correct horse battery staple";
const CANARY = "canary-8f1c2d";

let root: string;
let options: SecretsOptions;
let identity: string;
let recipient: string;
/** A folder with a store that was filled, and a backup of it with its key. */
const template = temporaryFolder(afterAll);

beforeAll(async () => {
  identity = await age.generateIdentity();
  recipient = await age.identityToRecipient(identity);
  const place = placeIn("home", "secrets", template);
  await fill(place);
  await backUpStore(place, join(template, "backup.age"), { recipients: [recipient], withKey: true });
});
beforeEach(() => {
  root = temporaryFolder();
  options = placeIn("home", "secrets");
});

function placeIn(home: string, secrets: string, folder = root): SecretsOptions {
  return { env: { HOME: join(folder, home) }, storagePath: join(folder, secrets) };
}

function copyTemplate(): void {
  cpSync(template, root, { recursive: true });
}

/** Every type, older versions, a deleted secret, descriptions and tags. */
async function fill(place: SecretsOptions = options): Promise<void> {
  const secrets = await openSecrets(place);
  const fields = { clientId: "id", clientSecret: CANARY, tokenUrl: "https://id.example", scopes: ["a", "b"] };
  await secrets.set({ name: "KEY", type: "apiKey", fields: { value: CANARY } });
  await secrets.set({ name: "KEY", type: "apiKey", fields: { value: "second" }, description: `${CANARY} description` });
  await secrets.set({ name: "DB", type: "basicAuth", fields: { username: "app", password: CANARY }, tags: ["prod"] });
  await secrets.set({ name: "BEARER", type: "bearerToken", fields: { token: CANARY }, expiresAt: "2040-01-01" });
  await secrets.set({ name: "OAUTH", type: "oauth", fields });
  await secrets.set({ name: "CUSTOM", type: "custom", fields: { a: 1, b: true, c: CANARY } });
  await secrets.set({ name: "GONE", type: "apiKey", fields: { value: CANARY } });
  await secrets.delete("GONE");
  await secrets.close();
}

const file = (name = "backup.age") => join(root, name);
const stored = (place: SecretsOptions) => readStored(place.storagePath ?? "");
const keyIn = (home: string) => join(root, home, ".autokestra", "secret.key");

describe.each(["sqlite", "file"])("an encrypted backup of a %s store", (backend) => {
  it("is one private file that shows nothing, and restores all of it on an empty machine", async () => {
    await fill({ ...options, backend });
    const before = readdirSync(options.storagePath ?? "");
    const report = await backUpStore(options, file(), { recipients: [recipient], withKey: true });
    expect(report).toEqual({ file: file(), backend });
    expect([statSync(file()).mode & 0o777, readdirSync(root).toSorted()]).toEqual([
      0o600,
      ["backup.age", "home", "secrets"],
    ]);
    expect(readdirSync(options.storagePath ?? "")).toEqual(before);
    const bytes = readFileSync(file()).toString("latin1");
    for (const text of [CANARY, "OAUTH", "SQLite", "storeId", readFileSync(keyIn("home"), "utf8").trim()]) {
      expect(bytes).not.toContain(text);
    }
    const other = placeIn("other", "restored");
    expect(await restoreBackup(other, file(), { identities: [identity] })).toEqual({
      backend,
      secrets: 6,
      versions: 7,
      kept: null,
      tookKeys: true,
      keyFile: keyIn("other"),
    });
    expect(stored(other)).toEqual(stored(options));
    expect(readFileSync(keyIn("other"))).toEqual(readFileSync(keyIn("home")));
    expect(statSync(keyIn("other")).mode & 0o777).toBe(0o600);
    const secrets = await openSecrets(other);
    expect((await secrets.get("KEY", { atVersion: 1 })).fields).toEqual({ value: CANARY });
    expect((await secrets.restore("GONE")).name).toBe("GONE");
    await secrets.close();
  });

  it("opens with each of its recipients, and needs the master key where that is not in it", async () => {
    await fill({ ...options, backend });
    const second = await age.generateHybridIdentity();
    const recipients = [await age.identityToRecipient(second), recipient];
    await backUpStore(options, file(), { recipients });
    const other = placeIn("other", "restored");
    for (const one of [identity, second]) {
      await expect(restoreBackup(other, file(), { identities: [one] })).rejects.toMatchObject({ code: "KEY_MISSING" });
    }
    expect(existsSync(keyIn("other"))).toBe(false);
    const here = placeIn("home", "restored");
    expect(await restoreBackup(here, file(), { identities: [await age.generateIdentity(), second] })).toMatchObject({
      tookKeys: true,
      keyFile: null,
    });
    expect(stored(here)).toEqual(stored(options));
  });
});

it("opens with its passphrase alone, here and in other programs, and so does what they make", {
  timeout: 120_000,
}, async () => {
  copyTemplate();
  await backUpStore(options, file("ours.age"), { passphrase: PASSPHRASE, withKey: true });
  const other = placeIn("other", "restored");
  await expect(restoreBackup(other, file("ours.age"))).rejects.toMatchObject({
    code: "IDENTITY_WRONG",
    message: expect.stringContaining("is encrypted, and opens only with its passphrase"),
  });
  expect(await restoreBackup(other, file("ours.age"), { passphrase: PASSPHRASE })).toMatchObject({ secrets: 6 });
  expect(readFileSync(file("ours.age"), "latin1")).toMatch(/\n-> scrypt [A-Za-z0-9+/]{22} 18\n/);
  // The rest with less work: the other program takes seconds for so much.
  const wrapping = new age.Encrypter();
  wrapping.addRecipient({
    async wrapFileKey(key) {
      const { args, body } = await wrapWithPassphrase(PASSPHRASE, key, 10);
      return [new age.Stanza([...args], body)];
    },
  });
  const decrypter = new age.Decrypter();
  decrypter.addPassphrase(PASSPHRASE);
  decrypter.addIdentity(identity);
  const payload = await decrypter.decrypt(readFileSync(file()));
  expect(await decrypter.decrypt(await wrapping.encrypt(payload))).toEqual(payload);
  const encrypter = new age.Encrypter();
  encrypter.setPassphrase(PASSPHRASE);
  encrypter.setScryptWorkFactor(10);
  writeFileSync(file("theirs.age"), await encrypter.encrypt(payload));
  const wrong = restoreBackup(other, file("theirs.age"), { passphrase: "another passphrase", identities: [identity] });
  await expect(wrong).rejects.toMatchObject({
    code: "IDENTITY_WRONG",
    message: expect.stringContaining("opens only with its passphrase, which was not given"),
  });
  const here = placeIn("home", "restored");
  expect(await restoreBackup(here, file("theirs.age"), { passphrase: PASSPHRASE })).toMatchObject({ secrets: 6 });
});

describe("where something is there", () => {
  beforeEach(copyTemplate);
  const restore = async (place: SecretsOptions) => await restoreBackup(place, file(), { identities: [identity] });

  it("the records go under the keys of the store, also after a rotation, and no key file is written", async () => {
    await rotateKeys(options);
    const key = readFileSync(keyIn("home"));
    expect(await restore(options)).toMatchObject({ tookKeys: false, keyFile: null, kept: expect.any(String) });
    const another = placeIn("another", "third");
    await fill(another);
    expect(await restore(another)).toMatchObject({ tookKeys: false, keyFile: null });
    expect(readFileSync(keyIn("home"))).toEqual(key);
  });

  it.each<[string, () => Promise<SecretsOptions>]>([
    [
      "as the default key of this machine",
      async () => {
        await fill(placeIn("other", "first"));
        return placeIn("other", "restored");
      },
    ],
    [
      "in the environment",
      async () => ({
        ...placeIn("none", "restored"),
        env: { HOME: join(root, "none"), AUTOKESTRA_SECRET_KEY: `${"5a".repeat(31)}5b` },
      }),
    ],
    [
      "in the file that was named",
      async () => {
        writeFileSync(join(root, "named.key"), `${"5a".repeat(31)}5b\n`, { mode: 0o600 });
        return { ...placeIn("none", "restored"), keyFile: join(root, "named.key") };
      },
    ],
  ])("another key %s is not replaced, and nothing is restored", async (_, prepare) => {
    const place = await prepare();
    await expect(restore(place)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("another master key is in place"),
      details: { reason: "another key in place" },
    });
    expect(existsSync(join(root, "restored", "secrets.db"))).toBe(false);
    const named = { ...placeIn("none", "restored"), keyFile: join(root, "new", "restored.key") };
    expect(await restore(named)).toMatchObject({ secrets: 6, keyFile: named.keyFile });
    expect(stored(named)).toEqual(stored(options));
  });

  it("a place without a key folder has no place for its key", async () => {
    const place = { ...placeIn("none", "restored"), keyFolder: null };
    await expect(restore(place)).rejects.toMatchObject({ message: expect.stringContaining("there is no folder") });
  });

  it("the key that is there already is used, wherever it is kept", async () => {
    await rotateKeys(options);
    expect(await restore(placeIn("home", "restored"))).toMatchObject({ tookKeys: true, keyFile: null });
  });

  it("a store that does not open is replaced and kept", async () => {
    const other = placeIn("other", "restored");
    await fill(other);
    writeFileSync(join(root, "restored", "secrets.db"), "nonsense");
    const named = { ...other, keyFile: join(root, "new.key") };
    expect(await restore(named)).toMatchObject({ tookKeys: true, kept: expect.any(String), keyFile: named.keyFile });
  });
});

describe("what is not right is a sentence, and changes nothing", () => {
  let good: Buffer;
  beforeEach(() => {
    copyTemplate();
    good = readFileSync(file());
  });

  async function refused(content: Buffer, given: object = { identities: [identity] }): Promise<unknown> {
    writeFileSync(file("bad.age"), content);
    const before = stored(options);
    const error: unknown = await restoreBackup(options, file("bad.age"), given).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Error);
    expect(stored(options)).toEqual(before);
    return error;
  }

  it("another identity, or none", async () => {
    const message = expect.stringContaining("opens only with the identity of one of its recipients");
    const other = { identities: [await age.generateIdentity()] };
    for (const given of [other, {}, { passphrase: PASSPHRASE }]) {
      expect(await refused(good, given)).toMatchObject({ code: "IDENTITY_WRONG", message });
    }
  });

  it.each(["AGE-SECRET-KEY-1XYZ", "ssh-ed25519 AAAA", "", "s3cret-text"])("what is no identity: %s", async (text) => {
    const error = await refused(good, { identities: [text] });
    expect(error).toMatchObject({ code: "OPTION_INVALID", message: expect.stringContaining("not an age identity") });
    if (text !== "") expect(String(error)).not.toContain(text);
  });

  it("a file that was cut, at any place", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 22, max: good.length - 1 }), async (length) => {
        expect(await refused(good.subarray(0, length))).toMatchObject({
          code: expect.stringMatching(/^(STORE_CORRUPT|IDENTITY_WRONG)$/),
        });
      }),
      { numRuns: 25 },
    );
  });

  it("a byte that was changed, at any place", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(good);
        changed.writeUInt8(changed.readUInt8(at) ^ change, at);
        expect(await refused(changed)).toMatchObject({
          code: expect.stringMatching(/^(STORE_CORRUPT|IDENTITY_WRONG)$/),
        });
      }),
      { numRuns: 25 },
    );
  });

  it("bytes behind its end", async () => {
    const error = await refused(Buffer.concat([good, Buffer.from("more")]));
    expect(error).toMatchObject({ code: "STORE_CORRUPT", message: expect.stringContaining("was cut or changed") });
  });

  it.each<[string, string, string]>([
    ["another age file", "hello", "STORE_CORRUPT"],
    ["an empty age file", "", "STORE_CORRUPT"],
    ["one of a later version", '{"autokestraBackup":2,"whatever":1}\n', "STORE_TOO_NEW"],
    ["a key that is none", '{"autokestraBackup":1,"madeAt":"2026-11-30T00:00:00Z","masterKey":"x"}\n', "STORE_CORRUPT"],
    ["no store in it", '{"autokestraBackup":1,"madeAt":"2026-11-30T00:00:00Z","masterKey":null}\nx', "STORE_CORRUPT"],
  ])("%s", async (_, text, code) => {
    const encrypter = new age.Encrypter();
    encrypter.addRecipient(recipient);
    expect(await refused(Buffer.from(await encrypter.encrypt(text)))).toMatchObject({ code });
  });

  it.each<[string, object, RegExp]>([
    ["no recipient", {}, /needs a recipient or a passphrase/],
    ["a recipient with a typing error", { recipients: ["age1qqqqq"] }, /Recipient 1 is not an age recipient/],
    ["both", { recipients: ["age1"], passphrase: PASSPHRASE }, /either to recipients or with a passphrase/],
    ["a short passphrase", { passphrase: "short" }, /fewer than 12 characters/],
  ])("a backup with %s", async (_, encryption, message) => {
    await expect(backUpStore(options, file("new.age"), encryption)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(message),
    });
    expect(existsSync(file("new.age"))).toBe(false);
  });

  it("an identity instead of a recipient, which is not repeated", async () => {
    const error: unknown = await backUpStore(options, file("new.age"), { recipients: [recipient, identity] }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ message: expect.stringContaining("Recipient 2 is an identity") });
    expect(String(error)).not.toContain(identity);
  });

  it("a path that exists, or has no folder", async () => {
    const encryption = { recipients: [recipient] };
    await expect(backUpStore(options, file(), encryption)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(backUpStore(options, join(root, "none", "x"), encryption)).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining(join(root, "none", "x")),
    });
  });

  it("a master key that is a passphrase is not put in", async () => {
    const place = { ...placeIn("home", "other"), env: { HOME: root, AUTOKESTRA_SECRET_KEY: PASSPHRASE } };
    await fill(place);
    const made = backUpStore(place, file("new.age"), { recipients: [recipient], withKey: true });
    await expect(made).rejects.toMatchObject({ code: "KEY_INVALID", message: expect.stringContaining("passphrase") });
  });
});

it("of many backups of one name exactly one is made, whole", async () => {
  copyTemplate();
  const make = async () => await backUpStore(options, file("new.age"), { recipients: [recipient], withKey: true });
  const outcomes = await Promise.allSettled([make(), make(), make()]);
  expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBe(1);
  expect(readdirSync(root).toSorted()).toEqual(["backup.age", "home", "new.age", "secrets"]);
  expect(await restoreBackup(placeIn("other", "x"), file("new.age"), { identities: [identity] })).toMatchObject({
    secrets: 6,
  });
});

it("is recorded, its key too", async () => {
  copyTemplate();
  const audited = { ...options, audit: true };
  await backUpStore(audited, file("new.age"), { recipients: [recipient], withKey: true });
  const { openSecretsManager } = await import("../src/index.ts");
  const { audit, secrets } = await openSecretsManager(audited);
  const actions: string[] = [];
  for await (const { action, outcome } of audit?.records() ?? []) actions.push(`${action} ${outcome}`);
  await secrets.close();
  expect(actions).toEqual(["keys.export intent", "backup intent", "backup done", "keys.export done"]);
});
