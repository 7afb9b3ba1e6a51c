import { describe, expect, it } from "vitest";
import { parseKeyText } from "../../src/key-source/key-file.ts";

const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7 + 1));
const hex = bytes.toString("hex");
const base64 = bytes.toString("base64");
const base64url = Buffer.from(Array.from({ length: 32 }, () => 0xfb))
  .fill(1, 31)
  .toString("base64url");

describe("parseKeyText", () => {
  it.each([
    ["hex", hex, bytes],
    ["upper-case hex", hex.toUpperCase(), bytes],
    ["hex with a newline", `${hex}\n`, bytes],
    ["hex with CRLF", `${hex}\r\n`, bytes],
    ["base64", base64, bytes],
    ["base64 without padding", base64.slice(0, 43), bytes],
    ["base64url", base64url, Buffer.from(base64url, "base64url")],
  ])("reads %s", (_, text, expected) => {
    const key = parseKeyText(text, "TEST");
    expect({ kind: key.kind, hex: Buffer.from(key.material).toString("hex") }).toEqual({
      kind: "bytes",
      hex: expected.toString("hex"),
    });
  });

  it.each([
    ["correct horse battery staple", "correct horse battery staple"],
    ["twelve chars", "twelve chars"],
    ["  spaces around me  ", "  spaces around me  "],
    ["ﬁfteen letters", "fifteen letters"],
    ["e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301", "éééééééééééé"],
  ])("reads %j as a passphrase", (text, normalised) => {
    const key = parseKeyText(text, "TEST");
    expect({ kind: key.kind, text: Buffer.from(key.material).toString() }).toEqual({
      kind: "passphrase",
      text: normalised,
    });
  });

  it.each([
    ["nothing", ""],
    ["a newline", "\n"],
    ["a short passphrase", "hunter2"],
    ["eleven characters", "eleven char"],
    ["63 hex digits", hex.slice(1)],
    ["65 hex digits", `${hex}a`],
    ["32 hex digits", hex.slice(32)],
    ["hex with a space before", ` ${hex}`],
    ["hex with a space behind", `${hex} `],
    ["hex with a tail that is none", `${hex.slice(1)}g`],
    ["all zeros", "0".repeat(64)],
    ["one byte 32 times", "ab".repeat(32)],
    ["42 base64 characters", base64.slice(0, 42)],
    ["base64 of 48 bytes", Buffer.alloc(48, 3).toString("base64")],
    ["base64 with loose bits", `${base64.slice(0, 42)}${base64[42] === "B" ? "D" : "B"}`],
    ["base64 of zeros", Buffer.alloc(32).toString("base64")],
    ["hex in quotes", `"${hex}"`],
    ["base64 in quotes", `'${base64}'`],
    ["hex with a prefix", `hex:${hex}`],
    ["hex with colons", hex.replace(/..(?=.)/g, "$&:")],
    ["hex with two newlines", `${hex}\n\n`],
  ])("refuses %s without repeating it", (_, text) => {
    const attempt = () => parseKeyText(text, "TEST");
    expect(attempt).toThrow(expect.objectContaining({ code: "KEY_INVALID", message: expect.stringContaining("TEST") }));
    if (text.trim() !== "")
      expect(attempt).toThrow(expect.objectContaining({ message: expect.not.stringContaining(text.trim()) }));
  });
});
