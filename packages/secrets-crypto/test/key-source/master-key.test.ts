import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Stretching } from "@autokestra/secrets-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type * as derivation from "../../src/key-derivation.ts";
import type * as masterKey from "../../src/key-source/master-key.ts";
import { HEX, temporaryFolder } from "./key-folder.ts";

/** How often, and at most how many at once, a passphrase was stretched. */
const stretches = vi.hoisted(() => ({ count: 0, now: 0, most: 0 }));

vi.mock(import("../../src/key-derivation.ts"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    async stretch(material: Uint8Array, { salt, iterations }: Stretching) {
      stretches.count += 1;
      stretches.now += 1;
      stretches.most = Math.max(stretches.most, stretches.now);
      const bytes = await original.stretch(material, { salt, iterations: iterations / 1000 });
      stretches.now -= 1;
      return bytes;
    },
  };
});

const PASSPHRASE = "correct horse battery staple";
const ITERATIONS = 600_000;
const salt = (byte: number) => Buffer.alloc(16, byte).toString("base64");
let keyFolder: string;
let file: string;

beforeEach(() => {
  keyFolder = join(temporaryFolder(), ".autokestra");
  file = join(keyFolder, "passphrase.json");
  Object.assign(stretches, { count: 0, now: 0, most: 0 });
});

/** The module as another process would load it: it remembers nothing. */
async function newProcess(): Promise<typeof masterKey & Pick<typeof derivation, "fingerprintOf">> {
  vi.resetModules();
  const { fingerprintOf } = await import("../../src/key-derivation.ts");
  return { ...(await import("../../src/key-source/master-key.ts")), fingerprintOf };
}

async function keyOf(text = PASSPHRASE, folder: string | null = keyFolder) {
  const { createMasterKey } = await newProcess();
  return createMasterKey({ kind: "passphrase", material: Buffer.from(text) }, "TEST", folder);
}

async function entryOf(text: string, byte: number, iterations = ITERATIONS) {
  const { fingerprintOf } = await newProcess();
  const bytes = await (await keyOf(text)).bytes({ salt: salt(byte), iterations });
  return { salt: salt(byte), iterations, fingerprint: fingerprintOf(bytes ?? new Uint8Array()) };
}

const entries = (): unknown[] => JSON.parse(readFileSync(file, "utf8"));

function write(content: unknown, mode = 0o600): void {
  mkdirSync(keyFolder, { mode: 0o700 });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
}

describe("a key of 32 bytes", () => {
  it("is itself, in copies, and not to be stretched", async () => {
    const { createMasterKey } = await newProcess();
    const key = createMasterKey({ kind: "bytes", material: Buffer.from(HEX[0], "hex") }, "TEST", keyFolder);
    (await key.bytes(null))?.fill(0);
    expect(Buffer.from((await key.bytes(null)) ?? []).toString("hex")).toBe(HEX[0]);
    expect(await key.bytes({ salt: salt(1), iterations: ITERATIONS })).toBe(null);
    expect(await key.stretchingForNewStore()).toBe(null);
    expect(existsSync(keyFolder)).toBe(false);
  });
});

describe("a passphrase", () => {
  it("is stretched once for the same parameters, one at a time, and given in copies", async () => {
    const key = await keyOf();
    const parameters = [1, 1, 2, 2, 1].map((byte) => ({ salt: salt(byte), iterations: ITERATIONS }));
    const [first, same, second] = await Promise.all(parameters.map(async (each) => await key.bytes(each)));
    expect([first, stretches.count, stretches.most]).toEqual([same, 2, 1]);
    expect(second).not.toEqual(first);
    first?.fill(0);
    expect(await key.bytes({ salt: salt(1), iterations: ITERATIONS })).toEqual(same);
    expect(await key.bytes(null)).toBe(null);
  });

  it("K5: is stretched alike for all stores made on this machine, in every process", async () => {
    const first = await (await keyOf()).stretchingForNewStore();
    expect(await (await keyOf()).stretchingForNewStore()).toEqual(first);
    expect(await (await keyOf("another passphrase")).stretchingForNewStore()).not.toEqual(first);
    expect(first?.iterations).toBe(ITERATIONS);
    expect(entries()).toMatchObject([first, {}]);
    expect([statSync(file).mode & 0o777, statSync(keyFolder).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(readFileSync(file, "utf8")).not.toContain(PASSPHRASE);
  });

  it("is drawn for once where it is asked for many times at once", async () => {
    const key = await keyOf();
    const drawn = await Promise.all(Array.from({ length: 5 }, async () => await key.stretchingForNewStore()));
    expect(new Set(drawn.map((each) => each?.salt)).size).toBe(1);
    expect(entries()).toHaveLength(1);
  });

  it("writes nothing where only a store is opened", async () => {
    await (await keyOf()).bytes({ salt: salt(1), iterations: ITERATIONS });
    expect(existsSync(keyFolder)).toBe(false);
  });

  it.each([
    ["today's iterations", ITERATIONS, PASSPHRASE, true],
    ["more of them", 2_000_000, PASSPHRASE, true],
    ["fewer than today's", 599_000, PASSPHRASE, false],
    ["more than 2 000 000", 2_001_000, PASSPHRASE, false],
    ["another passphrase", ITERATIONS, "another passphrase", false],
  ])("an entry with %s serves a new store: %#", async (_, iterations, text, isUsed) => {
    const entry = await entryOf(text, 1, iterations);
    write([entry]);
    const stretching = await (await keyOf()).stretchingForNewStore();
    expect(stretching?.salt === salt(1)).toBe(isUsed);
    expect(entries()).toHaveLength(isUsed ? 1 : 2);
  });

  it("five are kept at most: the oldest goes", async () => {
    write(await Promise.all([1, 2, 3, 4, 5].map(async (byte) => await entryOf("another passphrase", byte, 1000))));
    const stretching = await (await keyOf()).stretchingForNewStore();
    expect(entries()).toMatchObject([{ salt: salt(2) }, {}, {}, {}, stretching ?? {}]);
  });

  it.each([
    ["is damaged", "{", 0o600],
    [
      "has too many entries",
      [1, 2, 3, 4, 5, 6].map((byte) => ({ salt: salt(byte), iterations: 1000, fingerprint: "0".repeat(16) })),
      0o600,
    ],
    ["others can read", [], 0o644],
  ])("works, and leaves the file alone, where it %s", async (_, content, mode) => {
    write(content, mode);
    const before = readFileSync(file, "utf8");
    const key = await keyOf();
    const stretching = await key.stretchingForNewStore();
    expect([stretching?.iterations, await key.stretchingForNewStore()]).toEqual([ITERATIONS, stretching]);
    expect(readFileSync(file, "utf8")).toBe(before);
  });

  it("works without a key folder, and is drawn for once in the process", async () => {
    const key = await keyOf(PASSPHRASE, null);
    expect(await key.stretchingForNewStore()).toEqual(await key.stretchingForNewStore());
    expect(existsSync(keyFolder)).toBe(false);
  });

  it("has the fingerprint of its stretched key where a store was made with it here", async () => {
    const entry = await entryOf(PASSPHRASE, 1);
    write([await entryOf("another passphrase", 2), entry]);
    const { fingerprintOfKey } = await newProcess();
    expect(await fingerprintOfKey(await keyOf(), keyFolder)).toBe(entry.fingerprint);
    expect(await fingerprintOfKey(await keyOf("a third passphrase"), keyFolder)).toBe(null);
  });
});
