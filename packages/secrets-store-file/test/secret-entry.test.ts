import { sampleSecret } from "@autokestra/secrets-core/testing";
import { assert, property } from "fast-check";
import { expect, it } from "vitest";
import { anySealedSecret } from "../../secrets-core/test/any-sealed-secret.ts";
import { addVersion, createEntry, parseEntry, parseHistory } from "../src/secret-entry.ts";

it("what becomes an entry comes back from JSON, to the byte", () => {
  assert(
    property(anySealedSecret, anySealedSecret, (secret, older) => {
      const entry = JSON.parse(JSON.stringify(createEntry(secret, [older])));
      expect([parseEntry(entry), parseHistory(entry)]).toEqual([secret, [secret, older]]);
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
  const { metadata, envelope } = sampleSecret("A");
  const ciphertext = Buffer.from("before, ciphertext, after").subarray(8, 18);
  const entry = createEntry({ metadata, envelope: { ...envelope, ciphertext } });
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
    expect(parseHistory(entry)).toBe(null);
    expect(parseEntry(entry)).toEqual(sampleSecret("A", { version: 9 }));
  },
);
