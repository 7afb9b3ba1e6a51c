// @module-tag faults
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createMemoryStore, createSecretService, type SecretService } from "@autokestra/secrets-core";
import { createKeyManager, createMasterKeyProvider, createSecretEncryption } from "@autokestra/secrets-crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { replaceDataKey } from "../src/data-key.ts";
import { backUpStore, diagnose, migrateStore, restoreBackup, rotateKeys } from "../src/index.ts";
import { keyOptions } from "../src/manager.ts";
import { verifyRecords } from "../src/records.ts";
import {
  apiKey,
  attacksOn,
  copyPlace,
  expectRefusal,
  fillPlace,
  makeRoot,
  named,
  type Place,
  placeAt,
  putStored,
  storedText,
  use,
} from "./attacked-place.ts";
import { editStored, readStored, type StoredSecret, type StoredVersion, sql, toEncrypted } from "./stored-content.ts";

/** What somebody does to the stored secret A, with another one at hand. */
type Edit = (a: StoredSecret, b: StoredSecret) => void;

/** What somebody does, in words. */
type Attack = readonly [what: string, edit: Edit];

function take(from: StoredVersion | undefined, ...fields: readonly (keyof StoredVersion)[]): Partial<StoredVersion> {
  if (from === undefined) throw new Error("there is no such version");
  return Object.fromEntries(fields.map((field) => [field, from[field]]));
}

const current = (change: (version: StoredVersion) => Partial<StoredVersion>): Edit => {
  return (a) => void Object.assign(a.current, change(a.current));
};

const WHOLE = ["revision", "importedId", "policy", "mac"] as const;
const ENVELOPE = ["keyId", "nonce", "tag", "ciphertext"] as const;

/** Makes the version before the current one; what stands with the whole secret stays. */
function removeNewest(a: StoredSecret, ...kept: readonly (keyof StoredVersion)[]): void {
  const [second, ...rest] = a.older;
  const newest = a.current;
  a.current = Object.assign({}, newest, second, take(newest, ...WHOLE), take(newest, ...kept));
  a.older = rest;
}

/** Changes of what a MAC covers: neither metadata nor versions of the secret can be relied upon any more. */
const FORGERIES: readonly Attack[] = [
  ["a nonce of another secret", (a, b) => void Object.assign(a.current, take(b.current, "nonce"))],
  ["a whole envelope of another secret", (a, b) => void Object.assign(a.current, take(b.current, ...ENVELOPE))],
  ["a value of its own from before", (a) => void Object.assign(a.current, take(a.older[0], ...ENVELOPE))],
  ["a removed newest version", (a) => removeNewest(a)],
  ["a removed newest version whose number the one before takes", (a) => removeNewest(a, "version")],
  [
    "a removed newest version, and no MAC",
    (a) => {
      removeNewest(a);
      Object.assign(a.current, { mac: null });
    },
  ],
  ["an added tag", current(({ tags }) => ({ tags: [...tags, "prod"] }))],
  ["a removed tag", current(() => ({ tags: [] }))],
  ["a split tag", current(() => ({ tags: ["c", "i"] }))],
  ["another description", current(() => ({ description: "of B" }))],
  ["a removed description", current(() => ({ description: null }))],
  ["another createdAt", current(() => ({ createdAt: "2020-01-01T00:00:00.000Z" }))],
  ["another updatedAt", current(() => ({ updatedAt: "2020-01-01T00:00:00.000Z" }))],
  ["a later expiry", current(() => ({ expiresAt: "2199-01-01T00:00:00.000Z" }))],
  ["a removed expiry", current(() => ({ expiresAt: null }))],
  ["another type", current(() => ({ type: "bearerToken" }))],
  ["another name", (a) => [a.current, ...a.older].forEach((version) => void Object.assign(version, { name: "N" }))],
  ["a dropped policy", current(() => ({ policy: null }))],
  ["another policy", current(() => ({ policy: "{}" }))],
  ["a higher version", current(() => ({ version: 9 }))],
  ["a higher revision", current(() => ({ revision: 9 }))],
  ["the highest revision", current(() => ({ revision: Number.MAX_SAFE_INTEGER }))],
  ["another number of an import", current(() => ({ importedId: 8 }))],
  ["no number of an import", current(() => ({ importedId: null }))],
  ["no MAC", current(() => ({ mac: null }))],
  ["an empty MAC", current(() => ({ mac: "" }))],
  ["a MAC of another secret", (a, b) => void Object.assign(a.current, take(b.current, "mac"))],
  ["a MAC under an unknown service key", current(({ mac }) => ({ mac: `0badcafe${mac?.slice(8)}` }))],
  ["a MAC without its service key", current(({ mac }) => ({ mac: mac?.slice(9) ?? null }))],
];

/** Changes of what only the tag of the envelope covers: the metadata are right, and older versions open. */
const DAMAGES: readonly Attack[] = [
  ["a ciphertext of another secret", (a, b) => void Object.assign(a.current, take(b.current, "ciphertext"))],
  ["a tag of another secret", (a, b) => void Object.assign(a.current, take(b.current, "tag"))],
  ["an unknown data key", current(() => ({ keyId: "0badcafe" }))],
  ["a short tag", current(({ tag }) => ({ tag: Buffer.from(tag, "base64").subarray(0, 4).toString("base64") }))],
  ["format 1", current(() => ({ format: 1 }))],
];

/** Changes of versions that are not the current one. */
const OLDER: readonly Attack[] = [
  ["a value of another version", (a) => void Object.assign(a.older[1] ?? {}, take(a.older[0], ...ENVELOPE))],
  ["a value of another secret", (a, b) => void Object.assign(a.older[1] ?? {}, take(b.older[1], ...ENVELOPE))],
  ["another type", (a) => void Object.assign(a.older[1] ?? {}, { type: "bearerToken" })],
  ["a later expiry", (a) => void Object.assign(a.older[1] ?? {}, { expiresAt: "2199-01-01T00:00:00.000Z" })],
];

/** Versions that are not where they belong: SQLite may find that out before it looks for a MAC. */
const DISORDERS: readonly Attack[] = [
  [
    "an older version that is marked as the current one",
    (a) => {
      const newest = a.current;
      removeNewest(a);
      a.older.unshift(newest);
    },
  ],
  ["another id of the current version", current(() => ({ id: "9f0c2b5e-6a3d-4f57-8a41-3f2d8c7b1e60" }))],
  ["another name of the current version", current(() => ({ name: "N" }))],
];

/** Changes of a deleted secret, named; all but the last two would bring back something else than what was deleted. */
const OF_DELETED: readonly (readonly [what: string, name: string, edit: Edit])[] = [
  ["another time of a deletion with the key", "SEALED", current(() => ({ deletedAt: justNow() }))],
  ["an added tag", "SEALED", current(() => ({ tags: ["prod"] }))],
  ["an added tag where it was deleted without the key", "UNSEALED", current(() => ({ tags: ["prod"] }))],
  ["another description where it was deleted without the key", "UNSEALED", current(() => ({ description: "of A" }))],
  ["another name where it was deleted without the key", "UNSEALED", current(() => ({ name: "N" }))],
  ["no MAC", "SEALED", current(() => ({ mac: null }))],
  ["no MAC where it was deleted without the key", "UNSEALED", current(() => ({ mac: null }))],
  ["a MAC of another secret", "UNSEALED", (a, b) => void Object.assign(a.current, take(b.current, "mac"))],
];

function justNow(): string {
  return new Date(Date.now() - 60_000).toISOString();
}

/** What relies on the current version of a secret, or writes a new MAC over what is stored of it. */
const RELYING: readonly (readonly [string, (secrets: SecretService, name: string) => Promise<unknown>])[] = [
  ["get", async (secrets, name) => await secrets.get(name)],
  ["describe", async (secrets, name) => await secrets.describe(name)],
  ["set", async (secrets, name) => await secrets.set(apiKey(name, "new"))],
  ["update", async (secrets, name) => await secrets.update(apiKey(name, "new"), 3)],
  ["setAll", async (secrets, name) => await secrets.setAll([apiKey("C", "new"), apiKey(name, "new")])],
  ["edit", async (secrets, name) => await secrets.edit(name, { addTags: ["new"] })],
  ["rename", async (secrets, name) => await secrets.rename(name, "Z")],
  ["rollback", async (secrets, name) => await secrets.rollback(name, 1)],
];

const READING_OLDER = ["get of a version", (s: SecretService, name: string) => s.get(name, { atVersion: 1 })] as const;

/** Everything is refused that would rely on a secret. */
async function expectNoReliance(secrets: SecretService, name: string, more: typeof RELYING = []): Promise<void> {
  for (const [what, rely] of [...RELYING, ...more]) {
    const outcome = await rely(secrets, name).catch((error: unknown) => error);
    expect(outcome, what).toMatchObject({
      code: "INTEGRITY_FAILED",
      message: `Secret '${name}' cannot be opened`,
      hint: expect.stringMatching(/Restore it from a backup, or remove it/),
    });
  }
}

const TEMPLATES: Record<string, Place> = {};
let root: string;

beforeAll(async () => {
  root = await makeRoot();
  for (const backend of ["sqlite", "file"]) {
    const template = placeAt(join(root, `template-${backend}`));
    await fillPlace(template, backend);
    await backUpStore(template.options, join(template.root, "good.backup"));
    TEMPLATES[backend] = template;
  }
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describe.each(["sqlite", "file"])("a secret in a %s store, attacked from outside,", (backend) => {
  const other = backend === "sqlite" ? "file" : "sqlite";
  let place: Place;
  /** A as it was. */
  let sound: StoredSecret;

  beforeEach(() => {
    place = placeAt(join(root, "place"));
    copyPlace(TEMPLATES[backend] ?? place, place);
    sound = named(readStored(place.folder), "A");
  });

  /** @returns A as it is then, and its name */
  function attack(edit: Edit): { readonly forged: StoredSecret; readonly name: string } {
    editStored(place.folder, (content) => edit(named(content, "A"), named(content, "B")));
    const forged = readStored(place.folder).secrets.find(
      ({ current: { id, name } }) => id === sound.current.id || name === sound.current.name,
    );
    if (forged === undefined) throw new Error("A is gone");
    return { forged, name: forged.current.name };
  }

  async function getCode(name: string): Promise<unknown> {
    return await use(place.options, async ({ secrets }) => {
      return await secrets.get(name).then(
        ({ fields }) => fields["value"],
        (error: { code: unknown }) => error.code,
      );
    });
  }

  /** Nothing that was done has made what is stored good: without the attack the secret is what it was. */
  async function expectUndoable(name: string): Promise<void> {
    expect(await getCode(name)).toBe("INTEGRITY_FAILED");
    putStored(place.folder, sound);
    expect(await getCode("A")).toBe("a3");
  }

  describe.each(attacksOn(backend, [...FORGERIES, ...DAMAGES]))("%s:", (_, edit) => {
    it("nothing relies on it, and nothing makes it good", async () => {
      const { forged, name } = attack(edit);
      const isForgery = FORGERIES.some(([, one]) => one === edit);
      await use(place.options, async ({ secrets }) => {
        await expectNoReliance(secrets, name, isForgery ? [READING_OLDER] : []);
        expect((await secrets.list()).map((metadata) => metadata.name)).toEqual([name, "B"].toSorted());
        expect((await secrets.get("B")).fields).toEqual({ value: "b3" });
      });
      expect(storedText(place.folder, sound.current.id)).toBe(JSON.stringify(forged));
      await expectUndoable(name);
    });
  });

  it.each(attacksOn(backend, [...FORGERIES, ...DAMAGES], 4))(
    "%s: it can be deleted, which does not make it good, and removed for good",
    async (_, edit) => {
      const { forged, name } = attack(edit);
      const isForgery = FORGERIES.some(([, one]) => one === edit);
      await use(place.options, async ({ secrets }) => {
        await secrets.delete(name);
        expect(await secrets.list({ name })).toEqual([]);
        if (isForgery) {
          expect(named(readStored(place.folder), name).current.mac).toBe(forged.current.mac);
          await expectRefusal(secrets.restore(name), "restore", "INTEGRITY_FAILED");
        } else {
          // Its metadata are right. Its value is not, before or after.
          await secrets.restore(name);
          await expectNoReliance(secrets, name);
        }
      });
      putStored(place.folder, forged);
      await expectUndoable(name);
      attack(edit);
      await use(place.options, async ({ secrets }) => {
        await secrets.delete(name, { purge: true });
        await secrets.set(apiKey(name, "anew"));
      });
      expect(await getCode(name)).toBe("anew");
    },
  );

  it.each(attacksOn(backend, [...FORGERIES, ...DAMAGES], 5))(
    "%s: no work on the whole store makes it good, and a backup heals it",
    async (_, edit) => {
      const { name } = attack(edit);
      const findings = await use(place.options, async (manager) => await diagnose(manager));
      const failures = findings.filter(({ status }) => status === "failure");
      expect(failures).not.toEqual([]);
      for (const { message, hint } of failures) {
        expect(message).toContain(`'${name}'`);
        expect(hint).toContain("backup");
      }
      const bad = join(place.root, "bad.backup");
      await backUpStore(place.options, bad);
      const before = JSON.stringify(readStored(place.folder));
      await expectRefusal(restoreBackup(place.options, bad), "restoreBackup", "INTEGRITY_FAILED");
      expect(JSON.stringify(readStored(place.folder))).toBe(before);
      await expectRefusal(rotateKeys(place.options, { dataKey: true }), "rotateKeys", "INTEGRITY_FAILED");
      await migrateStore(place.options, other);
      await expectUndoable(name);
      attack(edit);
      expect(await restoreBackup(place.options, join(place.root, "good.backup"))).toMatchObject({ tookKeys: false });
      expect(await getCode("A")).toBe("a3");
      expect(await rotateKeys(place.options, { dataKey: true })).toMatchObject({ isComplete: true });
      expect(await getCode("A")).toBe("a3");
    },
  );

  describe.each(DISORDERS)("%s:", (_, edit) => {
    const CODES = ["INTEGRITY_FAILED", "STORE_CORRUPT"];

    it("nothing relies on it, nothing makes it good, and a backup heals it", async () => {
      const { forged, name } = attack(edit);
      await use(place.options, async ({ secrets }) => {
        for (const [what, rely] of [...RELYING, READING_OLDER]) {
          await expectRefusal(rely(secrets, name), what, ...CODES);
        }
        expect((await secrets.list()).map((metadata) => metadata.name)).toEqual([name, "B"].toSorted());
      });
      expect(storedText(place.folder, forged.current.id)).toBe(JSON.stringify(forged));
      await expectRefusal(rotateKeys(place.options, { dataKey: true }), "rotateKeys", ...CODES);
      const findings = await use(place.options, async (manager) => await diagnose(manager));
      expect(findings.map(({ status }) => status)).toContain("failure");
      const bad = join(place.root, "bad.backup");
      await backUpStore(place.options, bad);
      await expectRefusal(restoreBackup(place.options, bad), "restoreBackup", ...CODES);
      await restoreBackup(place.options, join(place.root, "good.backup"));
      expect(await getCode("A")).toBe("a3");
      expect(await rotateKeys(place.options, { dataKey: true })).toMatchObject({ isComplete: true });
    });

    it("it is not moved as something else, and opens once it is undone", async () => {
      const { forged, name } = attack(edit);
      await migrateStore(place.options, other).then(
        async () => expect(await getCode(name)).toBe("INTEGRITY_FAILED"),
        (error: unknown) =>
          expect(error).toMatchObject({ code: "STORE_CORRUPT", hint: expect.stringMatching(/backup/) }),
      );
      putStored(place.folder, sound, forged.current.id);
      expect(await getCode("A")).toBe("a3");
    });

    it("it can be deleted, and removed for good", async () => {
      const { name } = attack(edit);
      await use(place.options, async ({ secrets }) => {
        await secrets.delete(name);
        await expectRefusal(secrets.restore(name), "restore", ...CODES);
        await secrets.delete(name, { purge: true });
        await secrets.set(apiKey(name, "anew"));
      });
      expect(await getCode(name)).toBe("anew");
    });
  });

  describe.each(OLDER)("an older version with %s:", (_, edit) => {
    it("is not read, not rolled back to and not made good; the current one is what it was", async () => {
      attack(edit);
      const older = named(readStored(place.folder), "A").older[1];
      await use(place.options, async ({ secrets }) => {
        await expectRefusal(secrets.get("A", { atVersion: 1 }), "get", "INTEGRITY_FAILED");
        await expectRefusal(secrets.rollback("A", 1), "rollback", "INTEGRITY_FAILED");
        await expectRefusal(secrets.rename("A", "Z"), "rename", "INTEGRITY_FAILED");
        expect((await secrets.get("A")).fields).toEqual({ value: "a3" });
        await secrets.edit("A", { addTags: ["new"] });
        await secrets.set(apiKey("A", "a4"));
        await secrets.delete("A");
        await secrets.restore("A");
        await expectRefusal(secrets.get("A", { atVersion: 1 }), "get", "INTEGRITY_FAILED");
      });
      expect(named(readStored(place.folder), "A").older.at(-1)).toEqual(older);
      await expectRefusal(rotateKeys(place.options, { dataKey: true }), "rotateKeys", "INTEGRITY_FAILED");
      await migrateStore(place.options, other);
      await use(place.options, async (manager) => {
        await expectRefusal(manager.secrets.get("A", { atVersion: 1 }), "get", "INTEGRITY_FAILED");
        const failures = (await diagnose(manager)).filter(({ status }) => status === "failure");
        expect(failures.map(({ message }) => message)).toEqual(["'A', version 1, was changed since it was encrypted"]);
      });
      const bad = join(place.root, "bad.backup");
      await backUpStore(place.options, bad);
      await expectRefusal(restoreBackup(place.options, bad), "restoreBackup", "INTEGRITY_FAILED");
    });
  });

  it("a record that is none hides no other, keeps no backup from being restored, and can be removed", async () => {
    const { name } = attack(current(() => ({ type: "nonsense" })));
    await use(place.options, async ({ secrets }) => {
      for (const [what, rely] of RELYING) await expectRefusal(rely(secrets, name), what, "STORE_CORRUPT");
      expect((await secrets.get("B")).fields).toEqual({ value: "b3" });
    });
    await restoreBackup(place.options, join(place.root, "good.backup"));
    expect(await getCode("A")).toBe("a3");
    attack(current(() => ({ type: "nonsense" })));
    await use(place.options, async ({ secrets }) => await secrets.delete("A", { purge: true }));
    expect(await rotateKeys(place.options, { dataKey: true })).toMatchObject({ isComplete: true });
  });

  describe("deleted", () => {
    const SEALED = { name: "SEALED", deletedAt: expect.any(String) };

    function stored(name: string): StoredSecret {
      return named(readStored(place.folder), name);
    }

    it.each(OF_DELETED)("it is not restored with %s, and nothing makes it good", async (_, name, edit) => {
      const before = stored(name);
      editStored(place.folder, (content) => edit(named(content, name), named(content, "B")));
      const forged = readStored(place.folder).secrets.find(({ current: { id } }) => id === before.current.id);
      const now = forged?.current.name ?? "";
      await use(place.options, async ({ secrets }) => {
        await expectRefusal(secrets.restore(now), "restore", "INTEGRITY_FAILED");
        await expectRefusal(secrets.restore(now, { id: before.current.id }), "restore", "INTEGRITY_FAILED");
      });
      expect(storedText(place.folder, before.current.id)).toBe(JSON.stringify(forged));
      await expectRefusal(rotateKeys(place.options, { dataKey: true }), "rotateKeys", "INTEGRITY_FAILED");
      putStored(place.folder, before);
      expect(await use(place.options, async ({ secrets }) => await secrets.restore(name))).toMatchObject({ name });
      expect(await getCode(name)).toBe(name.toLowerCase());
    });

    it("with the key, it does not come back without it", async () => {
      const before = stored("SEALED");
      const resurrect = () =>
        editStored(
          place.folder,
          (content) => void Object.assign(named(content, "SEALED").current, { deletedAt: null }),
        );
      resurrect();
      const forged = stored("SEALED");
      await use(place.options, async ({ secrets }) => {
        await expectNoReliance(secrets, "SEALED", [READING_OLDER]);
        expect((await secrets.list()).map(({ name }) => name)).toContain("SEALED");
        await expectRefusal(secrets.create(apiKey("SEALED", "new")), "create", "SECRET_EXISTS");
      });
      expect(storedText(place.folder, before.current.id)).toBe(JSON.stringify(forged));
      await use(place.options, async ({ secrets }) => {
        await secrets.delete("SEALED");
        await expectRefusal(secrets.restore("SEALED"), "restore", "INTEGRITY_FAILED");
      });
      putStored(place.folder, before);
      await use(place.options, async ({ secrets }) => {
        expect(await secrets.list({ state: "deleted", name: "SEALED" })).toMatchObject([SEALED]);
        await secrets.restore("SEALED");
      });
      expect(await getCode("SEALED")).toBe("sealed");
    });
  });

  /** What `docs/FORMAT.md` says that it is out of reach, or not authenticated. */
  describe("unnoticed, as it is documented:", () => {
    it("one that was deleted without the key comes back", async () => {
      editStored(place.folder, (content) => {
        Object.assign(named(content, "UNSEALED").current, { deletedAt: null });
      });
      expect(await getCode("UNSEALED")).toBe("unsealed");
    });

    it("one is deleted without the key, and restored with it", async () => {
      attack(current(() => ({ deletedAt: justNow() })));
      expect(await getCode("A")).toBe("SECRET_DELETED");
      await use(place.options, async ({ secrets }) => await secrets.restore("A"));
      expect(await getCode("A")).toBe("a3");
    });

    it("one is put back with all its rows as an older copy had it, until the data key was rotated", async () => {
      await use(place.options, async ({ secrets }) => await secrets.set(apiKey("A", "a4")));
      putStored(place.folder, sound);
      expect(await getCode("A")).toBe("a3");
      await rotateKeys(place.options, { dataKey: true });
      expect(await getCode("A")).toBe("a3");
      putStored(place.folder, sound);
      expect(await getCode("A")).toBe("INTEGRITY_FAILED");
    });

    it("description and tags of an older version are others, and do not come back by a rollback", async () => {
      attack((a) => void Object.assign(a.older[1] ?? {}, { description: "forged", tags: ["prod"] }));
      await use(place.options, async ({ secrets }) => {
        expect((await secrets.versions("A")).at(-1)).toMatchObject({ description: "forged" });
        await secrets.rollback("A", 1);
        expect((await secrets.get("A")).metadata).toMatchObject({ version: 4, description: "of A", tags: ["ci"] });
      });
    });
  });

  it("is not one of another store under the same master key", async () => {
    const foreign = { ...place.options, storagePath: join(place.root, "foreign"), backend };
    await use(foreign, async ({ secrets }) => {
      for (const value of ["x1", "x2"]) await secrets.set(apiKey("A", value));
    });
    const secret = named(readStored(join(place.root, "foreign")), "A");
    const { id } = sound.current;
    const withId = structuredClone(secret);
    for (const version of [withId.current, ...withId.older]) version.id = id;
    for (const forged of [secret, withId]) {
      putStored(place.folder, forged, id, secret.current.id);
      await use(place.options, async ({ secrets }) => await expectNoReliance(secrets, "A", [READING_OLDER]));
      expect(storedText(place.folder, forged.current.id)).toBe(JSON.stringify(forged));
    }
    // And not with its own keys either, which nobody can wrap for this store.
    const [header] = [readStored(join(place.root, "foreign"))].map((content) => JSON.parse(content.header ?? ""));
    editStored(place.folder, (content) => {
      const own = JSON.parse(content.header ?? "");
      own.dataKeys.push({ ...header.dataKeys[0], state: "decrypt-only" });
      content.header = JSON.stringify(own);
    });
    await use(place.options, async ({ secrets }) => {
      await expectRefusal(secrets.get("A"), "get", "INTEGRITY_FAILED");
    });
    putStored(place.folder, sound, id);
  });
});

describe("in SQLite alone", () => {
  it("what is left of a secret whose current version was removed is found, and can be removed", async () => {
    const place = placeAt(join(root, "place"));
    copyPlace(TEMPLATES["sqlite"] ?? place, place);
    sql(place.folder, "DELETE FROM secret_versions WHERE name = 'A' AND is_current = 1");
    await expectRefusal(rotateKeys(place.options, { dataKey: true }), "rotateKeys", "STORE_CORRUPT");
    await expectRefusal(migrateStore(place.options, "file"), "migrateStore", "STORE_CORRUPT");
    await use(place.options, async (manager) => {
      const failures = (await diagnose(manager)).filter(({ status }) => status === "failure");
      expect(failures).toHaveLength(1);
      await manager.secrets.delete("A", { purge: true });
    });
    expect(await rotateKeys(place.options, { dataKey: true })).toMatchObject({ isComplete: true });
  });

  it.each([
    [
      "the tables of version 1 are there again",
      "ALTER TABLE secret_versions RENAME TO secrets; ALTER TABLE store_header RENAME TO header; PRAGMA user_version = 1",
    ],
    ["it says that it is one of version 1", "PRAGMA user_version = 1"],
  ])("a database is refused where %s", async (_, statements) => {
    const place = placeAt(join(root, "place"));
    copyPlace(TEMPLATES["sqlite"] ?? place, place);
    sql(place.folder, statements);
    const attempt = use(place.options, async ({ secrets }) => await secrets.get("A"));
    await expectRefusal(attempt, "get", "STORE_CORRUPT", "INTEGRITY_FAILED");
  });
});

describe.each([...FORGERIES, ...DAMAGES])("in a store in memory, a secret with %s:", (_, edit) => {
  it("nothing relies on it, and nothing makes it good", async () => {
    const template = TEMPLATES["sqlite"] ?? placeAt(root);
    const content = readStored(template.folder);
    const before = structuredClone(content);
    const { id } = named(content, "A").current;
    edit(named(content, "A"), named(content, "B"));
    const stored = content.secrets.flatMap(toEncrypted);
    const store = createMemoryStore({ header: content.header, secrets: stored });
    const keys = createKeyManager(store, createMasterKeyProvider(keyOptions(template.options)));
    const encryption = createSecretEncryption(keys);
    const now = () => new Date().toISOString();
    const secrets = createSecretService({ store, encryption, now, newId: () => crypto.randomUUID() });
    const name = (await store.find(id))?.metadata.name ?? "";
    const history = await store.versions(id);
    await expectNoReliance(secrets, name);
    const { problems } = await verifyRecords({ store, encryption, keys });
    expect(problems.join()).toContain(`'${name}'`);
    await expectRefusal(replaceDataKey({ store, encryption, keys }, {}), "replaceDataKey", "INTEGRITY_FAILED");
    expect(await store.versions(id)).toEqual(history);
    await secrets.delete(name);
    expect((await store.find(id))?.metadata.deletedAt).not.toBe(null);
    await secrets.delete(name, { purge: true });
    await secrets.set(apiKey(name, "anew"));
    // A store of what was there before, under the header of now, has the secret as it was.
    const again = createMemoryStore({
      header: await store.readHeader(),
      secrets: [named(before, "A")].flatMap(toEncrypted),
    });
    const opened = createSecretEncryption(
      createKeyManager(again, createMasterKeyProvider(keyOptions(template.options))),
    );
    const options = { store: again, encryption: opened, now, newId: () => crypto.randomUUID() };
    expect((await createSecretService(options).get("A")).fields).toEqual({ value: "a3" });
    await secrets.close();
  });
});
