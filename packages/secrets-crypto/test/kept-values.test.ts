import { createMemoryStore } from "@autokestra/secrets-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyCharacter } from "../../../scripts/test/any-character.ts";
import { createKeptValueKeys, createKeyManager, type KeptValueCipher, type KeptValuePlace } from "../src/index.ts";
import { openKeptByHand } from "./by-hand.ts";
import { KeyPlace, testKey } from "./test-keys.ts";
import { ONE, readHeader } from "./two-processes.ts";

const RUN = "00000000-0000-4000-8000-000000000001";
const OTHER_RUN = "00000000-0000-4000-8000-000000000002";
const PLACE: KeptValuePlace = { kind: "result", task: "deploy", attempt: 1 };
const TEXT = '{"result":{"status":"success","output":"c4nary"},"masks":[]}';

/** A store with keys, and what encrypts the kept values of its runs. */
async function createStore() {
  const store = createMemoryStore();
  const keys = createKeyManager(store, new KeyPlace(1));
  await keys.forEncrypt(0);
  const kept = createKeptValueKeys(keys);
  async function cipher(run: string, keyId?: string): Promise<KeptValueCipher> {
    const found = await kept.forRun(run, keyId);
    if (found === null) throw new Error("no cipher");
    return found;
  }
  return { store, keys, kept, cipher };
}

const one = await createStore();
const own = await one.cipher(RUN);
const value = own.encrypt(PLACE, TEXT);

it("marks the same text alike in every process with the key, and in no other store", async () => {
  const marks = [await one.kept.mark(TEXT), await createKeptValueKeys(one.keys).mark(TEXT)];
  expect(new Set(marks).size).toBe(1);
  expect(marks[0]).toMatch(/^[\w-]{43}$/);
  expect(await one.kept.mark(`${TEXT} `)).not.toBe(marks[0]);
  expect(await (await createStore()).kept.mark(TEXT)).not.toBe(marks[0]);
  const empty = createKeptValueKeys(createKeyManager(createMemoryStore(), new KeyPlace(1)));
  expect(await empty.mark(TEXT)).toBeNull();
});

const places = fc.record({
  kind: fc.constantFrom("start", "result"),
  task: fc.oneof(
    fc.constantFrom("", "deploy", "deploy[3]", "deploy[03]", "deploy[33]", "[3]", "child/deploy", "a[1]/deploy[3]"),
    fc.string({ unit: anyCharacter }).filter((text) => text.isWellFormed()),
  ),
  attempt: fc.integer({ min: 1, max: 40 }),
});

describe("a kept value", () => {
  it.each<[string, KeptValuePlace, Parameters<typeof openKeptByHand>[3]]>([
    ["of a task", PLACE, ["deploy", null, 1, "result"]],
    ["of an item", { ...PLACE, task: "deploy[12]", attempt: 3 }, ["deploy", 12, 3, "result"]],
    ["of a called workflow", { ...PLACE, task: "a[1]/b[2]" }, ["a[1]/b", 2, 1, "result"]],
    ["of the run", { kind: "start", task: "", attempt: 1 }, [null, null, 1, "start"]],
  ])("%s is as docs/FORMAT.md says", async (_, place, fields) => {
    const header = await readHeader(one.store);
    expect(openKeptByHand(header, ONE, RUN, fields, own.encrypt(place, TEXT))).toBe(TEXT);
  });

  it("comes back as it was, and shows nothing", () => {
    fc.assert(
      fc.property(places, fc.json(), (place, text) => {
        const bytes = own.encrypt(place, text);
        expect(own.decrypt(place, bytes)).toBe(text);
        expect(bytes.length).toBe(28 + Buffer.byteLength(text));
      }),
    );
    expect(Buffer.from(value).includes("c4nary")).toBe(false);
    expect(own.encrypt(PLACE, TEXT)).not.toEqual(value);
  });

  it("opens at no other place", () => {
    fc.assert(
      fc.property(places, places, (place, other) => {
        const isSame = place.kind === other.kind && place.task === other.task && place.attempt === other.attempt;
        expect(own.decrypt(other, own.encrypt(place, TEXT))).toBe(isSame ? TEXT : null);
      }),
    );
  });

  it.each<[string, Partial<KeptValuePlace>]>([
    ["another task", { task: "build" }],
    ["an item", { task: "deploy[1]" }],
    ["a task of a called workflow", { task: "child/deploy" }],
    ["the run", { task: "" }],
    ["another attempt", { attempt: 2 }],
    ["another kind", { kind: "start" }],
  ])("is not that of %s", (_, other) => {
    expect(own.decrypt(PLACE, value)).toBe(TEXT);
    expect(own.decrypt({ ...PLACE, ...other }, value)).toBeNull();
  });

  it("is not that of another run, nor of another store, though they have one master key", async () => {
    expect((await one.cipher(OTHER_RUN)).decrypt(PLACE, value)).toBeNull();
    const other = await createStore();
    expect((await other.cipher(RUN)).decrypt(PLACE, value)).toBeNull();
    expect(await other.kept.forRun(RUN, own.keyId)).toBeNull();
  });

  it("does not open where a bit was flipped or bytes are missing, wherever that is", () => {
    for (let bit = 0; bit < 8 * value.length; bit++) {
      const changed = Uint8Array.from(value);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(own.decrypt(PLACE, changed)).toBeNull();
    }
    for (let length = 0; length < value.length; length++) {
      expect(own.decrypt(PLACE, value.subarray(0, length))).toBeNull();
      expect(own.decrypt(PLACE, value.subarray(value.length - length))).toBeNull();
    }
    expect(own.decrypt(PLACE, Buffer.concat([value, Buffer.of(0)]))).toBeNull();
  });

  it("opens after rotations of the master key and of the data key", async () => {
    const rotated = await createStore();
    const before = (await rotated.cipher(RUN)).encrypt(PLACE, TEXT);
    const { keyId } = await rotated.cipher(RUN);
    await rotated.keys.rotateMasterKey(testKey(2));
    await rotated.keys.addDataKey();
    const after = await rotated.cipher(RUN, keyId);
    expect(after.decrypt(PLACE, before)).toBe(TEXT);
  });

  it("has no key where there is no store yet, or where its service key is not known", async () => {
    expect(await one.kept.forRun(RUN, "ffffffff")).toBeNull();
    const nowhere = createKeyManager(createMemoryStore(), new KeyPlace(1));
    expect(await createKeptValueKeys(nowhere).forRun(RUN)).toBeNull();
    expect(await createKeptValueKeys(nowhere).forRun(RUN, "ffffffff")).toBeNull();
  });

  it.each([undefined, "ffffffff"])(
    "does not take a store that cannot be read for one without keys (%s)",
    async (keyId) => {
      const store = createMemoryStore();
      await store.close();
      const kept = createKeptValueKeys(createKeyManager(store, new KeyPlace(1)));
      await expect(kept.forRun(RUN, keyId)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    },
  );
});
