import { expect, it } from "vitest";
import { hashApiToken, isApiToken, isSameHash, newApiToken } from "../src/api-token.ts";

it("makes tokens that scanners can find and that are never the same", () => {
  const tokens = Array.from({ length: 200 }, newApiToken);
  for (const token of tokens) {
    expect(token).toMatch(/^ak_[0-9A-Za-z]{49}$/);
    expect(isApiToken(token)).toBe(true);
  }
  expect(new Set(tokens).size).toBe(200);
});

it("tells a mistyped token from a real one", () => {
  const token = newApiToken();
  const other = (character: string) => (character === "a" ? "b" : "a");
  for (let at = 3; at < token.length; at++) {
    expect(isApiToken(token.slice(0, at) + other(token.charAt(at)) + token.slice(at + 1))).toBe(false);
  }
  for (const text of ["", "ak_", token.slice(1), token.slice(0, -1), `${token}a`, `${token}\n`, token.toUpperCase()]) {
    expect(isApiToken(text)).toBe(false);
  }
});

it("compares hashes of tokens", () => {
  const token = newApiToken();
  expect(hashApiToken("abc").toString("hex")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(isSameHash(hashApiToken(token), hashApiToken(token))).toBe(true);
  expect(isSameHash(hashApiToken(token), hashApiToken(newApiToken()))).toBe(false);
  expect(isSameHash(hashApiToken(token), Buffer.alloc(0))).toBe(false);
});
