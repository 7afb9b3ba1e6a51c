import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decryptBytes, encryptBytes } from "../src/aes-gcm.ts";
import { readGcmVectors } from "./vectors.ts";

const key = Buffer.alloc(32, 7);
const aad = Buffer.from("aad");

const ENCRYPTIONS = process.env["LONG_TESTS"] === "true" ? 100_000 : 10_000;

describe("Wycheproof AES-GCM", () => {
  it("opens what is valid in our sizes, refuses all else", () => {
    const figures = { opened: 0, refused: 0, otherSizesRefused: 0 };
    for (const { id, iv, msg, ct, tag, valid, ...vector } of readGcmVectors()) {
      const ourSizes = vector.key.length === 32 && iv.length === 12 && tag.length === 16;
      const opened = decryptBytes(vector.key, vector.aad, { nonce: iv, ciphertext: ct, tag })?.toString("hex") ?? null;
      expect({ id, opened }).toEqual({ id, opened: ourSizes && valid ? msg.toString("hex") : null });
      if (!ourSizes) figures.otherSizesRefused += 1;
      else if (opened === null) figures.refused += 1;
      else figures.opened += 1;
    }
    expect(figures).toEqual({ opened: 39, refused: 27, otherSizesRefused: 250 });
  });
});

describe("encryptBytes and decryptBytes", () => {
  it("give back what they were given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array(), (plaintext, data) => {
        const opened = decryptBytes(key, data, encryptBytes(key, data, plaintext));
        expect(opened?.equals(plaintext)).toBe(true);
      }),
    );
  });

  it("refuse every single flipped bit of nonce, ciphertext, tag, AAD and key", () => {
    const sealed = encryptBytes(key, aad, Buffer.from("a value"));
    const parts = { nonce: sealed.nonce, ciphertext: sealed.ciphertext, tag: sealed.tag, aad, key };
    let flips = 0;
    for (const [part, bytes] of Object.entries(parts)) {
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = { ...parts, [part]: flip(bytes, bit) };
        expect(decryptBytes(changed.key, changed.aad, changed)).toBe(null);
        flips += 1;
      }
    }
    expect(flips).toBe((12 + 7 + 16 + 3 + 32) * 8);
  });

  it.each([0, 4, 8, 12, 13, 14, 15, 17])("refuse a tag of %i bytes", (length) => {
    const sealed = encryptBytes(key, aad, Buffer.from("a value"));
    const tag = Buffer.concat([sealed.tag, sealed.tag]).subarray(0, length);
    expect(decryptBytes(key, aad, { ...sealed, tag })).toBe(null);
  });

  it(`never use a nonce twice in ${ENCRYPTIONS} encryptions`, () => {
    const nonces = new Set<string>();
    for (let index = 0; index < ENCRYPTIONS; index++) {
      nonces.add(Buffer.from(encryptBytes(key, aad, aad).nonce).toString("latin1"));
    }
    expect(nonces.size).toBe(ENCRYPTIONS);
  });
});

function flip(bytes: Uint8Array, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = bit >> 3;
  copy[index] = (copy[index] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
