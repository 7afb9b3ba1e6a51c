import { assert, property } from "fast-check";
import { expect, it } from "vitest";
import { checkSealedSecret, type SealedSecret } from "../src/index.ts";
import { sampleSecret } from "../src/testing/index.ts";
import { anySealedSecret } from "./any-sealed-secret.ts";

const sample = sampleSecret("A");

/** What only a program without types can hand over. */
function forge(metadata: object, envelope: object = {}): SealedSecret {
  return {
    metadata: { ...sample.metadata, ...metadata },
    envelope: { ...sample.envelope, ...envelope },
    mac: sample.mac,
  };
}

it("a sealed secret passes, without what does not belong there", () => {
  assert(
    property(anySealedSecret, (secret) => {
      expect(checkSealedSecret(secret)).toEqual(secret);
    }),
  );
  expect(checkSealedSecret(forge({ value: "hunter2" }, { value: "hunter2" }))).toEqual(sample);
});

it.each(["", "..", "../x", "a\0b", "__proto__", undefined, null, 7, {}])(
  "the name %j is NAME_INVALID, whatever else is wrong",
  (name) => {
    expect(() => checkSealedSecret(forge({ name, version: 0 }))).toThrow(
      expect.objectContaining({ code: "NAME_INVALID" }),
    );
  },
);

it.each([
  ["metadata.id", forge({ id: "hunter2" })],
  ["metadata.tags.1", forge({ tags: ["x", "hunter2\n"] })],
  ["metadata.version, metadata.expiresAt", forge({ version: 0, expiresAt: "hunter2" })],
  ["envelope.nonce, envelope.tag", forge({}, { nonce: "hunter2", tag: ["hunter2"] })],
  ["metadata, envelope, mac", {} as SealedSecret],
  ["record", "hunter2" as unknown as SealedSecret],
])("%s is VALUE_INVALID, and what it holds is not in the error", (fields, secret) => {
  expect(() => checkSealedSecret(secret)).toThrow(
    expect.objectContaining({ code: "VALUE_INVALID", message: `Invalid sealed secret: ${fields}` }),
  );
});
