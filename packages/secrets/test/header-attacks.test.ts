// @module-tag faults
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { backUpStore, diagnose, migrateStore, restoreBackup, rotateKeys, type SecretsOptions } from "../src/index.ts";
import {
  apiKey,
  attacksOn,
  copyPlace,
  expectRefusal,
  fillPlace,
  makeRoot,
  type NamedCall,
  openingCalls,
  type Place,
  placeAt,
  use,
} from "./attacked-place.ts";
import { asFormat1, forgeServiceKey, keyCheckOf, type RawHeader, type RawKey, withMac } from "./header-by-hand.ts";
import { editStored, readStored, type StoredContent } from "./stored-content.ts";

const SALT = Buffer.alloc(16, 9).toString("base64");
const OTHER_ID = "9f0c2b5e-6a3d-4f57-8a41-3f2d8c7b1e60";
/** The key of whoever attacks. */
const FOREIGN = randomBytes(32);

/** One of the data keys of the header below: the first one was destroyed, the second one only opens, the last one is active. */
function dataKey({ dataKeys }: RawHeader, index: number): RawKey {
  const key = dataKeys.at(index);
  if (key === undefined) throw new Error("there is no such data key");
  return key;
}

const set = (change: Partial<RawHeader>) => (header: RawHeader) => void Object.assign(header, change);

const setKey = (index: number, change: Partial<RawKey>) => (header: RawHeader) =>
  void Object.assign(dataKey(header, index), change);

const setServiceKey = (change: Partial<RawKey>) => (header: RawHeader) =>
  void Object.assign(header.serviceKeys[0] ?? {}, change);

/** Gives each of two data keys what the other one has. */
const swap = (field: "wrapped" | "state" | "id") => (header: RawHeader) => {
  const [one, two] = [dataKey(header, -2), dataKey(header, -1)];
  Object.assign(header, {
    dataKeys: header.dataKeys.map((key) => {
      if (key !== one && key !== two) return key;
      return { ...key, [field]: (key === one ? two : one)[field] };
    }),
  });
};

type Tampering = readonly [what: string, code: string, edit: (header: RawHeader) => void];

/** Changes without the key: each field, then what an attacker would be after. */
const TAMPERINGS: readonly Tampering[] = [
  ["another storeId", "INTEGRITY_FAILED", set({ storeId: OTHER_ID })],
  ["a lower epoch", "INTEGRITY_FAILED", (header) => set({ epoch: header.epoch - 1 })(header)],
  ["a higher epoch", "INTEGRITY_FAILED", (header) => set({ epoch: header.epoch + 1 })(header)],
  ["epoch 0", "STORE_CORRUPT", set({ epoch: 0 })],
  ["another fingerprint", "INTEGRITY_FAILED", set({ fingerprint: "0123456789abcdef" })],
  ["another salt", "INTEGRITY_FAILED", (header) => set({ kdf: { ...header.kdf, salt: SALT } })(header)],
  ["an unknown derivation", "STORE_TOO_NEW", (header) => set({ kdf: { ...header.kdf, name: "argon2id" } })(header)],
  [
    "a derivation for passphrases",
    "KEY_WRONG",
    set({ kdf: { name: "pbkdf2-hmac-sha256", salt: SALT, passphraseSalt: SALT, iterations: 100_000 } }),
  ],
  ["another id of a data key", "INTEGRITY_FAILED", setKey(-1, { id: "0badcafe" })],
  ["two data keys of one id", "STORE_CORRUPT", (header) => setKey(-2, { id: dataKey(header, -1).id })(header)],
  ["another time of a data key", "INTEGRITY_FAILED", setKey(-1, { createdAt: "2020-01-01T00:00:00.000Z" })],
  ["fewer seals", "INTEGRITY_FAILED", setKey(-2, { seals: 0 })],
  ["a data key of random bytes", "INTEGRITY_FAILED", setKey(-1, { wrapped: randomBytes(60).toString("base64") })],
  ["a data key that opens format 1", "INTEGRITY_FAILED", setKey(-2, { format: 1 })],
  ["an active data key that opens format 1", "STORE_CORRUPT", setKey(-1, { format: 1 })],
  ["no data keys", "STORE_CORRUPT", set({ dataKeys: [] })],
  ["a data key less", "INTEGRITY_FAILED", (header) => set({ dataKeys: header.dataKeys.slice(1) })(header)],
  ["no active data key", "STORE_CORRUPT", setKey(-1, { state: "decrypt-only" })],
  ["a destroyed data key that is not", "STORE_CORRUPT", setKey(-2, { state: "destroyed" })],
  ["swapped data keys", "INTEGRITY_FAILED", swap("wrapped")],
  ["swapped ids of data keys", "INTEGRITY_FAILED", swap("id")],
  ["swapped states of data keys", "INTEGRITY_FAILED", swap("state")],
  [
    "data keys in another order",
    "INTEGRITY_FAILED",
    (header) => set({ dataKeys: header.dataKeys.toReversed() })(header),
  ],
  ["another id of the service key", "INTEGRITY_FAILED", setServiceKey({ id: "0badcafe" })],
  ["no active service key", "STORE_CORRUPT", setServiceKey({ state: "decrypt-only" })],
  ["no service key", "STORE_CORRUPT", set({ serviceKeys: [] })],
  [
    "a data key as the service key",
    "INTEGRITY_FAILED",
    (header) => setServiceKey({ wrapped: dataKey(header, -1).wrapped })(header),
  ],
  [
    "a service key of somebody else",
    "INTEGRITY_FAILED",
    (header) => setServiceKey(forgeServiceKey(header, header.serviceKeys[0]?.id ?? "", FOREIGN))(header),
  ],
  [
    "one more service key of somebody else",
    "INTEGRITY_FAILED",
    (header) =>
      void header.serviceKeys.push({ ...forgeServiceKey(header, "0badcafe", FOREIGN), state: "decrypt-only" }),
  ],
  [
    "a service key and the MAC of somebody else",
    "INTEGRITY_FAILED",
    (header) => {
      setServiceKey(forgeServiceKey(header, header.serviceKeys[0]?.id ?? "", FOREIGN))(header);
      Object.assign(header, withMac(header, FOREIGN));
    },
  ],
  [
    "the check value and the MAC of somebody else",
    "INTEGRITY_FAILED",
    (header) => {
      set({ keyCheck: keyCheckOf(header, FOREIGN) })(header);
      Object.assign(header, withMac(header, FOREIGN));
    },
  ],
  ["another check value", "INTEGRITY_FAILED", set({ keyCheck: Buffer.alloc(32).toString("base64") })],
  ["an extension", "INTEGRITY_FAILED", set({ extensions: [["later", false, "x"]] })],
  ["an unknown critical extension", "STORE_TOO_NEW", set({ extensions: [["later", true, "x"]] })],
  ["a MAC of zeros", "INTEGRITY_FAILED", set({ mac: Buffer.alloc(32).toString("base64") })],
  ["no MAC", "STORE_CORRUPT", (header) => void Reflect.deleteProperty(header, "mac")],
  ["format 3", "STORE_TOO_NEW", set({ format: 3 })],
  ["an unknown field", "STORE_CORRUPT", (header) => void Object.assign(header, { policy: null })],
];

/** All that needs the keys. */
const OPENING: readonly NamedCall[] = [
  ...openingCalls("SEALED"),
  ["get of a version", async (secrets) => await secrets.get("A", { atVersion: 1 })],
];

async function expectRefused(options: SecretsOptions, code: string): Promise<void> {
  await use(options, async ({ secrets }) => {
    for (const [what, open] of OPENING) await expectRefusal(open(secrets), what, code);
  });
  await expectRefusal(rotateKeys(options, { dataKey: true }), "rotateKeys", code);
  const findings = await use(options, async (manager) => await diagnose(manager));
  expect(findings.at(-1)).toMatchObject({ status: "failure", subject: "key", hint: expect.any(String) });
}

/** The value of A, or why there is none. */
async function read(options: SecretsOptions): Promise<unknown> {
  return await use(options, async ({ secrets }) => {
    return await secrets.get("A").then(
      ({ fields }) => fields["value"],
      (error: { code: unknown }) => error.code,
    );
  });
}

/** A store at one moment, and the master key that it had then. */
interface Moment {
  readonly content: StoredContent;
  readonly header: RawHeader;
  readonly master: Buffer;
}

/** A place that was rotated, and what its store was before. */
interface Rotated {
  readonly template: Place;
  readonly place: Place;
  /** With the first key. */
  readonly first: Moment;
  /** After the master key was rotated. */
  readonly second: Moment;
  /** While the data key was rotated: the first data key opens what is under it still. */
  readonly midway: Moment;
  /** After master and data key were rotated, and one more data key was made. */
  readonly last: Moment;
}

const ROTATED: Record<string, Rotated> = {};
let root: string;

function momentOf(place: Place, keyFile: string): Moment {
  const content = readStored(place.folder);
  const master = Buffer.from(readFileSync(join(place.keyFolder, keyFile), "utf8").trim(), "hex");
  return { content, header: JSON.parse(content.header ?? ""), master };
}

beforeAll(async () => {
  root = await makeRoot();
  for (const backend of ["sqlite", "file"]) {
    const place = placeAt(join(root, `place-${backend}`));
    const { options } = place;
    await fillPlace(place, backend);
    const first = momentOf(place, "secret.key");
    await rotateKeys(options);
    const second = momentOf(place, "secret.key");
    const midways: StoredContent[] = [];
    const onProgress = () => void midways.push(readStored(place.folder));
    await rotateKeys(options, { dataKey: true, onProgress });
    await use(options, async ({ keys }) => await keys.addDataKey());
    const last = momentOf(place, "secret.key");
    const [content = last.content] = midways;
    const midway = { content, header: JSON.parse(content.header ?? ""), master: last.master };
    await backUpStore(options, join(place.root, "good.backup"));
    const template = placeAt(join(root, `template-${backend}`));
    copyPlace(place, template);
    ROTATED[backend] = { template, place, first, second, midway, last };
  }
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

describe.each(["sqlite", "file"])("the header of a %s store", (backend) => {
  let rotated: Rotated;
  let options: SecretsOptions;

  beforeEach(() => {
    const found = ROTATED[backend];
    if (found === undefined) throw new Error("nothing was made");
    rotated = found;
    ({ options } = rotated.place);
    copyPlace(rotated.template, rotated.place);
  });

  function putHeader(header: object): void {
    editStored(rotated.place.folder, (content) => void Object.assign(content, { header: JSON.stringify(header) }));
  }

  function putBack(content: StoredContent): void {
    editStored(rotated.place.folder, (now) => void Object.assign(now, structuredClone(content)));
  }

  function storedHeader(): string | null {
    return readStored(rotated.place.folder).header;
  }

  const good = () => join(rotated.place.root, "good.backup");

  /** The options with a key that is named. */
  async function given({ master }: { readonly master: Uint8Array }): Promise<SecretsOptions> {
    const keyFile = join(rotated.place.root, `${Buffer.from(master).toString("hex").slice(0, 8)}.key`);
    await writeFile(keyFile, Buffer.from(master).toString("hex"), { mode: 0o600 });
    return { ...options, keyFile };
  }

  describe.each(attacksOn(backend, TAMPERINGS))("with %s:", (_, code, edit) => {
    it("is refused by a found key and by a given one, and nothing makes it good", async () => {
      const header = structuredClone(rotated.last.header);
      edit(header);
      putHeader(header);
      const before = readStored(rotated.place.folder);
      await expectRefused(options, code);
      await expectRefused(await given(rotated.last), code);
      await use(options, async ({ secrets }) => expect(await secrets.list()).toHaveLength(2));
      expect(readStored(rotated.place.folder)).toEqual(before);
      putHeader(rotated.last.header);
      expect(await read(options)).toBe("a3");
    });
  });

  it.each(attacksOn(backend, TAMPERINGS, 4))(
    "with %s: leaves removing for good to whoever asks, and is healed by a backup",
    async (_, code, edit) => {
      const header = structuredClone(rotated.last.header);
      edit(header);
      putHeader(header);
      const copy = join(rotated.place.root, "copy");
      await backUpStore(options, copy);
      await expectRefusal(
        restoreBackup({ ...options, storagePath: join(copy, "..", "anew") }, copy),
        "restoreBackup",
        code,
      );
      await migrateStore(options, backend === "sqlite" ? "file" : "sqlite");
      expect(storedHeader()).toBe(JSON.stringify(header));
      await use(options, async ({ secrets }) => await secrets.delete("B", { purge: true }));
      if (code === "STORE_TOO_NEW") {
        await expectRefusal(restoreBackup(options, good()), "restoreBackup", code);
        expect(storedHeader()).toBe(JSON.stringify(header));
        return;
      }
      expect(await restoreBackup(options, good())).toMatchObject({ tookKeys: true });
      expect(await read(options)).toBe("a3");
    },
  );

  it("says what to do where it was changed, and a deletion needs no key then", async () => {
    putHeader({ ...rotated.last.header, mac: Buffer.alloc(32).toString("base64") });
    await use(options, async ({ secrets }) => {
      await expect(secrets.get("A")).rejects.toMatchObject({
        code: "INTEGRITY_FAILED",
        message: "The header of the secret store was changed by someone without its key",
        hint: "Restore the store from a backup.",
      });
      await secrets.delete("A");
      expect(await secrets.list({ name: "A" })).toEqual([]);
    });
    putHeader(rotated.last.header);
    await use(options, async ({ secrets }) => await secrets.restore("A"));
    expect(await read(options)).toBe("a3");
  });

  it("is missed where it was removed", async () => {
    editStored(rotated.place.folder, (content) => void Object.assign(content, { header: null }));
    await expectRefused(options, "STORE_CORRUPT");
    expect(await restoreBackup(options, good())).toMatchObject({ tookKeys: true });
    expect(await read(options)).toBe("a3");
  });

  it("is refused where one of format 1 is put back, also by somebody with its key", async () => {
    putHeader(asFormat1(rotated.last.header, rotated.last.master));
    await expectRefused(options, "INTEGRITY_FAILED");
    await expectRefused(await given(rotated.last), "INTEGRITY_FAILED");
  });

  it("is not taken over by a process that has its keys, and nothing is written under it", async () => {
    const header = { ...rotated.last.header, epoch: rotated.last.header.epoch - 1 };
    await use(options, async ({ secrets }) => {
      await secrets.set(apiKey("B", "b4"));
      putHeader(header);
      const before = readStored(rotated.place.folder);
      await expectRefusal(secrets.set(apiKey("A", "new")), "set", "INTEGRITY_FAILED");
      await expectRefusal(secrets.edit("A", { addTags: ["new"] }), "edit", "INTEGRITY_FAILED");
      expect(readStored(rotated.place.folder)).toEqual(before);
    });
  });

  it("keeps an extension of somebody with the key that need not be known, through each rewriting", async () => {
    const extensions: RawHeader["extensions"] = [["later", false, "ü"]];
    putHeader(withMac({ ...rotated.last.header, extensions }, rotated.last.master));
    await use(options, async ({ secrets }) => await secrets.set(apiKey("A", "a4")));
    await rotateKeys(options, { dataKey: true });
    await restoreBackup(options, good());
    expect(JSON.parse(storedHeader() ?? "").extensions).toEqual(extensions);
    expect(await read(options)).toBe("a3");
  });

  it("is refused with an unknown critical extension of somebody with the key, and left alone", async () => {
    const header = { ...rotated.last.header, extensions: [["later", true, "x"]] } satisfies RawHeader;
    putHeader(withMac(header, rotated.last.master));
    const before = storedHeader();
    await expectRefused(options, "STORE_TOO_NEW");
    await expectRefusal(restoreBackup(options, good()), "restoreBackup", "STORE_TOO_NEW");
    expect(storedHeader()).toBe(before);
  });

  describe("of an older state", () => {
    /** What the error has to say: both fingerprints, when the path was last opened, and when the newest data key was made. */
    function rolledBack({ header }: Moment): object {
      const made = header.dataKeys.map(({ createdAt = "" }) => createdAt).toSorted();
      const { stores } = JSON.parse(readFileSync(join(rotated.place.keyFolder, "stores.json"), "utf8"));
      const { openedAt } = stores.find(({ path }: { path: string }) => path === rotated.place.folder);
      const parts = [openedAt, rotated.last.header.fingerprint, header.fingerprint, made.at(-1)];
      return {
        code: "STORE_ROLLED_BACK",
        message: expect.stringMatching(new RegExp(parts.join(".*"))),
        hint: expect.stringContaining("explicitly"),
      };
    }

    const MOMENTS = ["first", "second", "midway"] as const;

    it.each(MOMENTS)("is not opened by a key that was only found: %s", async (name) => {
      const moment = rotated[name];
      for (const put of [() => putHeader(moment.header), () => putBack(moment.content)]) {
        copyPlace(rotated.template, rotated.place);
        put();
        const before = readStored(rotated.place.folder);
        await expectRefused(options, "STORE_ROLLED_BACK");
        await use(options, async ({ secrets }) => {
          await expect(secrets.get("A")).rejects.toMatchObject(rolledBack(moment));
          expect(await secrets.list()).toHaveLength(2);
        });
        await expectRefusal(restoreBackup(options, good()), "restoreBackup", "STORE_ROLLED_BACK");
        await migrateStore(options, backend === "sqlite" ? "file" : "sqlite");
        await expectRefused(options, "STORE_ROLLED_BACK");
        expect(readStored(rotated.place.folder)).toEqual(before);
        putBack(rotated.last.content);
        expect(await read(options)).toBe("a3");
      }
    });

    it.each(["first", "second"] as const)("is not opened by the key of today that is given: %s", async (name) => {
      putBack(rotated[name].content);
      await expectRefused(await given(rotated.last), "KEY_WRONG");
      // So the backup of today counts, with its keys.
      expect(await restoreBackup(await given(rotated.last), good())).toMatchObject({ tookKeys: true });
      expect(await read(options)).toBe("a3");
    });

    it.each(["first", "second"] as const)("is opened by its own key that is given, on purpose: %s", async (name) => {
      const moment = rotated[name];
      putHeader(moment.header);
      // What was sealed under later keys is not read.
      expect(await read(await given(moment))).toBe("INTEGRITY_FAILED");
      putBack(moment.content);
      expect(await read(await given(moment))).toBe("a3");
      await expectRefused(options, "STORE_ROLLED_BACK");
      await use(await given(moment), async ({ secrets }) => await secrets.set(apiKey("A", "a4")));
      // From its next write on it is the store that counts here.
      expect(await read(options)).toBe("a4");
    });

    it("is not opened where the owner of an old key raises its epoch and adds keys of their own", async () => {
      const { header, master } = rotated.first;
      const forged = { ...header, epoch: 99, serviceKeys: [forgeServiceKey(header, "0badcafe", master)] };
      putHeader(withMac(forged, master));
      await expectRefused(options, "STORE_ROLLED_BACK");
      await expectRefused(await given(rotated.last), "KEY_WRONG");
    });
  });

  describe("of another store", () => {
    async function makeOther(): Promise<StoredContent> {
      const other = { ...options, storagePath: join(rotated.place.root, "other"), backend };
      await use(other, async ({ secrets }) => await secrets.setAll([apiKey("A", "foreign"), apiKey("B", "foreign")]));
      return readStored(join(rotated.place.root, "other"));
    }

    it("under the same master key is not opened by a key that was only found, but by one that is given", async () => {
      const other = await makeOther();
      putBack(other);
      await expectRefusal(
        use(options, async ({ secrets }) => await secrets.get("A")),
        "get",
        "STORE_ROLLED_BACK",
      );
      const attempt = use(options, async ({ secrets }) => await secrets.set(apiKey("A", "new")));
      await expect(attempt).rejects.toMatchObject({ message: expect.stringMatching(/^This is another store than/) });
      expect(await read(await given(rotated.last))).toBe("foreign");
    });

    it("opens none of the records here", async () => {
      const { header } = await makeOther();
      putHeader(JSON.parse(header ?? ""));
      await use(await given(rotated.last), async ({ secrets }) => {
        for (const [what, open] of OPENING.filter(([name]) => name !== "create")) {
          await expectRefusal(open(secrets), what, "INTEGRITY_FAILED");
        }
      });
    });

    it("gives none of its keys to this one, though they are wrapped under the same master key", async () => {
      const other: RawHeader = JSON.parse((await makeOther()).header ?? "");
      const { header, master } = rotated.last;
      for (const field of ["serviceKeys", "dataKeys"] as const) {
        putHeader(withMac({ ...header, [field]: other[field] }, master));
        await expectRefused(options, "INTEGRITY_FAILED");
      }
    });

    it("under a foreign key is not opened", async () => {
      const place = {
        ...(await given({ master: FOREIGN })),
        storagePath: join(rotated.place.root, "foreign"),
        backend,
      };
      await use(place, async ({ secrets }) => await secrets.set(apiKey("A", "foreign")));
      putBack(readStored(place.storagePath));
      for (const from of [options, await given(rotated.last)]) {
        expect(await read(from)).toBe("KEY_WRONG");
        const attempt = use(from, async ({ secrets }) => await secrets.set(apiKey("A", "new")));
        await expect(attempt).rejects.toMatchObject({
          code: "KEY_WRONG",
          hint: expect.stringMatching(/^Name the key that they were made with/),
        });
      }
    });
  });

  it("does not bring back a data key that was destroyed, from the middle of the rotation that did", async () => {
    const place = placeAt(join(root, "midway"));
    await rm(place.root, { recursive: true, force: true });
    await fillPlace(place, backend);
    const midways: StoredContent[] = [];
    const onProgress = () => void midways.push(readStored(place.folder));
    const before = readStored(place.folder);
    await rotateKeys(place.options, { dataKey: true, onProgress });
    const [midway] = midways;
    editStored(place.folder, (content) => {
      Object.assign(content, { header: midway?.header, secrets: structuredClone(before.secrets) });
    });
    await expectRefused(place.options, "STORE_ROLLED_BACK");
  });
});
