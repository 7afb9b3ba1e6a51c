import { assert, property } from "fast-check";
import { expect, it } from "vitest";
import type { EncryptedSecret } from "../src/index.ts";
import { checkEncryptedSecret } from "../src/internal.ts";
import { sampleSecret } from "../src/testing/index.ts";
import { anyEncryptedSecret } from "./any-encrypted-secret.ts";

const sample = sampleSecret("A");

/** What only a program without types can hand over. */
function forge(metadata: object, envelope: object = {}): EncryptedSecret {
  return {
    metadata: { ...sample.metadata, ...metadata },
    envelope: { ...sample.envelope, ...envelope },
    mac: sample.mac,
  };
}

it("a sealed secret passes, without what does not belong there", () => {
  assert(
    property(anyEncryptedSecret, (secret) => {
      expect(checkEncryptedSecret(secret)).toEqual(secret);
    }),
  );
  expect(checkEncryptedSecret(forge({ value: "hunter2" }, { value: "hunter2" }))).toEqual(sample);
});

it.each(["", "..", "../x", "a\0b", "__proto__", undefined, null, 7, {}])(
  "the name %j is NAME_INVALID, whatever else is wrong",
  (name) => {
    expect(() => checkEncryptedSecret(forge({ name, version: 0 }))).toThrow(
      expect.objectContaining({ code: "NAME_INVALID" }),
    );
  },
);

it.each([
  ["metadata.id", forge({ id: "hunter2" })],
  ["metadata.tags.1", forge({ tags: ["x", "hunter2\n"] })],
  ["metadata.version, metadata.expiresAt", forge({ version: 0, expiresAt: "hunter2" })],
  ["envelope.nonce, envelope.tag", forge({}, { nonce: "hunter2", tag: ["hunter2"] })],
  ["metadata, envelope, mac", {} as EncryptedSecret],
  ["record", "hunter2" as unknown as EncryptedSecret],
])("%s is VALUE_INVALID, and what it holds is not in the error", (fields, secret) => {
  expect(() => checkEncryptedSecret(secret)).toThrow(
    expect.objectContaining({ code: "VALUE_INVALID", message: `Invalid encrypted secret: ${fields}` }),
  );
});
