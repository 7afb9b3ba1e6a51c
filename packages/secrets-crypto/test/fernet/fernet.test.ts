import { AutokestraError } from "@autokestra/secrets-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFernet, type FernetDecryptOptions } from "../../src/fernet.ts";
import { type FernetVector, readFernetVectors } from "../vectors.ts";
import { makeKey, makeToken } from "./make-token.ts";

const KEY = makeKey();
const MESSAGE = Buffer.from("canary-5d1f");
const REFUSED = {
  code: "INTEGRITY_FAILED",
  message: "The Fernet token cannot be opened",
  hint: "It was made with another key, was changed or cut off, or is too old.",
};

/** What comes of a token: its text, or the error, whole. */
function outcome(keys: string | readonly string[], token: string, options?: FernetDecryptOptions): unknown {
  try {
    return createFernet(keys).decrypt(token, options).toString();
  } catch (error) {
    if (!(error instanceof AutokestraError)) return error;
    return { code: error.code, message: error.message, hint: error.hint };
  }
}

function open({ secret, token, ttlSeconds, now }: FernetVector): unknown {
  return outcome(secret, token, { ttlSeconds, now });
}

describe("the vectors of the Fernet specification", () => {
  it("open where they are good, and are refused with one text where not", () => {
    const figures = { verify: 0, generate: 0, invalid: 0 };
    for (const vector of readFernetVectors()) {
      const expected = vector.file === "invalid" ? REFUSED : vector.src;
      expect({ id: vector.id, outcome: open(vector) }).toEqual({ id: vector.id, outcome: expected });
      figures[vector.file] += 1;
    }
    expect(figures).toEqual({ verify: 1, generate: 1, invalid: 8 });
  });
});

describe("createFernet", () => {
  it("decrypts what another program has encrypted, any bytes of any length, padded or not", () => {
    const fernet = createFernet(KEY);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(), (message, createdAt) => {
        const token = makeToken(KEY, message, { createdAt });
        expect(fernet.decrypt(token).equals(message)).toBe(true);
        expect(fernet.decrypt(token.replace(/=+$/, "")).equals(message)).toBe(true);
      }),
    );
  });

  it("refuses every single flipped bit of a token's bytes and of its text", () => {
    const token = makeToken(KEY, MESSAGE);
    const bytes = Buffer.from(token, "base64url");
    const changed = [
      ...flips(bytes).map((flipped) => flipped.toString("base64url")),
      ...flips(Buffer.from(token, "latin1")).map((flipped) => flipped.toString("latin1")),
    ];
    expect(changed).toHaveLength((bytes.length + token.length) * 8);
    expect(outcome(KEY, token)).toBe(MESSAGE.toString());
    for (const text of changed) expect(outcome(KEY, text)).toEqual(REFUSED);
  });

  const good = makeToken(KEY, MESSAGE);
  it.each([
    ["nothing", ""],
    ["a version alone", "gA=="],
    ["less than a MAC", "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0O"],
    ["another key's token", makeToken(makeKey(), MESSAGE)],
    ["another version", makeToken(KEY, MESSAGE, { version: 0x81 })],
    ["no block at all", makeToken(KEY, MESSAGE, { ciphertext: Buffer.alloc(0) })],
    ["half a block", makeToken(KEY, MESSAGE, { ciphertext: Buffer.alloc(24) })],
    ["a padding that is none", makeToken(KEY, MESSAGE, { ciphertext: Buffer.alloc(32) })],
    ["a newline at its end", `${good}\n`],
    ["a space before it", ` ${good}`],
    ["more padding", `${good}====`],
    ["something after it", `${good}AAAA`],
    ["the standard alphabet", `++++${good.slice(4)}`],
  ])("refuses %s", (_what, token) => {
    expect(outcome(KEY, token)).toEqual(REFUSED);
  });

  it("opens with whichever of several keys the token was made with", () => {
    const keys = [makeKey(), KEY, makeKey()];
    expect(keys.map((key) => outcome(keys, makeToken(key, MESSAGE)))).toEqual(keys.map(() => MESSAGE.toString()));
    expect(outcome(keys, makeToken(makeKey(), MESSAGE))).toEqual(REFUSED);
  });

  it.each([
    { age: 60, ttlSeconds: 60, opens: true },
    { age: 61, ttlSeconds: 60, opens: false },
    { age: 0, ttlSeconds: 0, opens: true },
    { age: -60, ttlSeconds: 60, opens: true },
    { age: -61, ttlSeconds: 60, opens: false },
    { age: 0, ttlSeconds: Number.NaN, opens: false },
    { age: 1e9, ttlSeconds: undefined, opens: true },
    { age: -1e9, ttlSeconds: undefined, opens: true },
  ])("a token $age s old, with a ttl of $ttlSeconds: $opens", ({ age, ttlSeconds, opens }) => {
    const now = 2_000_000_000;
    const token = makeToken(KEY, MESSAGE, { createdAt: now - age });
    expect(outcome(KEY, token, { ttlSeconds, now: now * 1000 })).toEqual(opens ? MESSAGE.toString() : REFUSED);
  });

  it("takes the clock where no time is given", () => {
    const token = makeToken(KEY, MESSAGE, { createdAt: Math.floor(Date.now() / 1000) });
    expect(outcome(KEY, token, { ttlSeconds: 3600 })).toBe(MESSAGE.toString());
    expect(outcome(KEY, good, { ttlSeconds: 3600 })).toEqual(REFUSED);
  });

  it("takes a key without its padding", () => {
    expect(outcome(KEY.slice(0, 43), good)).toBe(MESSAGE.toString());
  });

  it.each([
    ["no text", ""],
    ["16 bytes", "A".repeat(22)],
    ["33 bytes", "A".repeat(44)],
    ["a newline", `${KEY}\n`],
    ["the standard alphabet", `+/${KEY.slice(2)}`],
    ["a last character with bits too many", `${"A".repeat(42)}B=`],
    ["a passphrase", "correct horse battery staple correct horse ba"],
  ])("refuses a key of %s, without repeating it", (_what, key) => {
    expect(outcome([KEY, key], good)).toEqual({
      code: "KEY_INVALID",
      message: "Fernet key 2 is not 32 bytes in url-safe base64",
      hint: "A key has 44 characters. If it contains + or /, write - and _ instead.",
    });
  });

  it("refuses an empty list of keys", () => {
    expect(outcome([], good)).toMatchObject({ code: "KEY_INVALID" });
  });
});

/** The bytes with each bit flipped in turn. */
function flips(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length * 8 }, (_, bit) => {
    const copy = Buffer.from(bytes);
    const index = bit >> 3;
    copy.writeUInt8(copy.readUInt8(index) ^ (1 << (bit & 7)), index);
    return copy;
  });
}
