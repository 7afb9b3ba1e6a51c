import { sampleSecret } from "@autokestra/secrets-core/testing";
import { assert, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { anyEncryptedSecret } from "../../secrets-core/test/any-encrypted-secret.ts";
import {
  addVersion,
  createEntry,
  isEncryptedWith,
  parseEntry,
  parseSoundVersions,
  parseVersions,
  replaceEnvelope,
  replaceVersions,
} from "../src/entries.ts";

it("what becomes an entry comes back from JSON, to the byte", () => {
  assert(
    property(anyEncryptedSecret, anyEncryptedSecret, (secret, older) => {
      const entry = JSON.parse(JSON.stringify(createEntry(secret, [older])));
      expect([parseEntry(entry), parseVersions(entry)]).toEqual([secret, [secret, { ...older, mac: null }]]);
    }),
  );
});

it("an entry does not depend on whether its versions came one by one", () => {
  const versions = [3, 2, 1].map((version) => sampleSecret("A", { version, tags: [`tag ${version}`] }));
  const [newest, ...older] = versions;
  if (newest === undefined) expect.unreachable();
  const grown = [3, 2, 1].toReversed().reduce((entry: Record<string, unknown> | null, version) => {
    const secret = sampleSecret("A", { version, tags: [`tag ${version}`] });
    return entry === null ? createEntry(secret) : addVersion(entry, secret, 10);
  }, null);
  expect(JSON.stringify(grown)).toBe(JSON.stringify(createEntry(newest, older)));
});

it("a view into a larger buffer is written without what lies around it", () => {
  const sample = sampleSecret("A");
  const ciphertext = Buffer.from("before, ciphertext, after").subarray(8, 18);
  const entry = createEntry({ ...sample, envelope: { ...sample.envelope, ciphertext } });
  expect(entry).toMatchObject({ envelope: { ciphertext: Buffer.from("ciphertext").toString("base64") } });
});

it.each([
  ["a character that is none of base64", "AAAA#AAA"],
  ["a space", "AAAA AAAA"],
  ["a newline at the end", "AAAA\n"],
  ["no padding", "AA"],
  ["too much padding", "AAAA===="],
  ["text after the padding", "AA==AAAA"],
  ["bits that do not count", "AB=="],
  ["base64url", "-_-_"],
  ["a number", 7],
  ["a list of bytes", [1, 2, 3]],
  ["null", null],
])("%s is not read as bytes", (_, ciphertext) => {
  const entry = createEntry(sampleSecret("A"));
  const envelope = { ...Object(entry["envelope"]), ciphertext };
  expect(parseEntry({ ...entry, envelope })).toBe(null);
});

it.each([{}, { envelope: null }, { envelope: 7 }, { envelope: [] }, { name: "A", envelope: {} }])(
  "%j is no secret",
  (entry) => {
    expect(parseEntry(entry)).toBe(null);
  },
);

it.each([[undefined], [null], ["A"], [{}], [[null]], [["A"]], [[[]]], [[{}]], [[{ envelope: {} }]]])(
  "%j are no older versions",
  (older) => {
    const entry = { ...createEntry(sampleSecret("A", { version: 9 })), older };
    expect(parseVersions(entry)).toBe(null);
    expect(parseEntry(entry)).toEqual(sampleSecret("A", { version: 9 }));
  },
);

it.each([[null], [undefined]])(
  "a mac that is %s is read as none: whether that is right is not for a store to judge",
  (mac) => {
    const sample = sampleSecret("A");
    expect(parseEntry({ ...createEntry(sample), mac })).toEqual({ ...sample, mac: null });
  },
);

it("an entry of format 1 reads as one of format 2 without a mac, whatever it says of that itself", () => {
  const sample = sampleSecret("A", { version: 3 });
  const { mac: _mac, revision: _revision, importedId: _importedId, policy: _policy, ...entry } = createEntry(sample);
  const forged = { ...entry, mac: "forged", revision: 9, policy: "forged", importedId: 9 };
  for (const one of [entry, forged]) expect(parseEntry(one, 1)).toEqual({ ...sample, mac: null });
  expect(parseEntry(entry)).toBe(null);
});

describe("an entry that is changed in place", () => {
  const versions = [3, 2, 1].map((version) => sampleSecret("A", { version }));
  const [current = sampleSecret("A"), ...older] = versions;
  const entry = { ...createEntry(current, older), colour: "red" };
  const nonceOf = (version: number) => sampleSecret("A", { version }).envelope.nonce;

  function again(version: number, changes: { readonly revision?: number } = {}) {
    const sample = sampleSecret("A", { version, revision: version, ...changes });
    return { ...sample, envelope: { ...sample.envelope, keyId: "12345678" }, mac: "new" };
  }

  it("gets the envelope of this version alone, and a mac only with the current one", () => {
    const reencrypted = replaceEnvelope(replaceEnvelope(entry, again(1), nonceOf(1)), again(3), nonceOf(3));
    const keyIds = parseVersions(reencrypted)?.map(({ envelope, mac }) => [envelope.keyId, mac]);
    expect(keyIds).toEqual([
      ["12345678", "new"],
      ["0badcafe", null],
      ["12345678", null],
    ]);
    expect(reencrypted).toMatchObject({ colour: "red", revision: 3 });
  });

  it("stays the same where the version has another nonce, another revision, or is gone", () => {
    expect(replaceEnvelope(entry, again(3), nonceOf(2))).toBe(entry);
    expect(replaceEnvelope(entry, again(1), nonceOf(2))).toBe(entry);
    expect(replaceEnvelope(entry, again(3, { revision: 4 }), nonceOf(3))).toBe(entry);
    expect(replaceEnvelope(entry, again(4), nonceOf(3))).toBe(entry);
    expect(replaceEnvelope({ ...entry, older: null }, again(1), nonceOf(1))).toEqual({ ...entry, older: null });
  });

  it("gets other versions where they stand, and keeps what we do not know and what is damaged", () => {
    const damaged = { ...entry, older: [...older.map((one) => ({ ...createEntry(one), note: "x" })), "what is this?"] };
    const renamed = (version: number) => sampleSecret("B", { version, id: current.metadata.id, revision: 4 });
    const next = replaceVersions(damaged, [renamed(3), renamed(1)]);
    expect(next).toMatchObject({ name: "B", colour: "red", revision: 4, mac: renamed(3).mac });
    expect(next?.["older"]).toMatchObject([{ version: 2 }, { version: 1, note: "x" }, "what is this?"]);
    expect(parseSoundVersions(next ?? {})?.map(({ metadata, envelope }) => [metadata.name, envelope])).toEqual([
      ["B", renamed(3).envelope],
      ["B", sampleSecret("A", { version: 2 }).envelope],
      ["B", renamed(1).envelope],
    ]);
    expect(replaceVersions({ ...entry, older: null }, [renamed(3)])).toMatchObject({ name: "B", older: null });
    expect(replaceVersions({ ...entry, older: null }, [renamed(3), renamed(1)])).toBe(null);
  });

  it("names the data keys of all its versions, the damaged ones too", () => {
    const other = { version: 0, envelope: { keyId: "12345678" } };
    expect(isEncryptedWith(entry, "0badcafe")).toBe(true);
    expect(isEncryptedWith(entry, "12345678")).toBe(false);
    expect(isEncryptedWith({ ...entry, older: [null, other] }, "12345678")).toBe(true);
    expect(isEncryptedWith({ older: null }, "12345678")).toBe(false);
  });
});
