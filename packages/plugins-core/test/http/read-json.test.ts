import fc from "fast-check";
import { expect, it } from "vitest";
import { readJson } from "../../src/http/json.ts";

it.each([
  ["12345678901234567890", "12345678901234567890"],
  ["-12345678901234567890", "-12345678901234567890"],
  ["9007199254740993", "9007199254740993"],
  ["9007199254740992", 9007199254740992],
  ["9007199254740991", 9007199254740991],
  ["10000000000000000000000", 1e22],
  ["0.12345678901234567890", "0.12345678901234567890"],
  ["0.1000000000000000055", "0.1000000000000000055"],
  ["3.141592653589793", Math.PI],
  ["1e400", "1e400"],
  ["-1E+400", "-1E+400"],
  ["1e-400", "1e-400"],
  ["4e-324", "4e-324"],
  ["5e-324", 5e-324],
  ["1.10", 1.1],
  ["1e3", 1000],
  ["1.0", 1],
  ["1.0000000000000000000", 1],
  ["0.00000000000000000000000000", 0],
  ["0e999", 0],
  ["-0", -0],
  ["0", 0],
])("KD2: %s is %o", (text, expected) => {
  for (const [written, value] of [
    [text, readJson(text)],
    [text, (readJson(`[1, ${text} ]`) as unknown[])[1]],
    [text, (readJson(`{"a":{"b":[{"c":\t${text}}]}}`) as { a: { b: { c: unknown }[] } }).a.b[0]?.c],
  ] as const) {
    expect([written, value]).toEqual([text, expected]);
  }
});

it.each([
  ['{"a":12345678901234567890,"a":1}', { a: 1 }],
  ['{"a":1e3,"b":0,"a":2}', { a: 2, b: 0 }],
  ['{"id":"12345678901234567890","n":1}', { id: "12345678901234567890", n: 1 }],
  ['{"__proto__":{"n":12345678901234567890}}', JSON.parse('{"__proto__":{"n":"12345678901234567890"}}')],
  ['"\\ud83d 1e5"', "\ud83d 1e5"],
])("KD2: %s", (text, expected) => {
  expect(readJson(text)).toEqual(expected);
  expect({}).not.toHaveProperty("n");
});

it("KD2: reads a number of a million digits, and a deep text with one, without delay or overflow", () => {
  const digits = `1${"0".repeat(1_000_000)}1`;
  expect(readJson(`[${digits}]`)).toEqual([digits]);
  const deep = `${"[".repeat(512)}12345678901234567890${"]".repeat(512)}`;
  expect(JSON.stringify(readJson(deep))).toBe(deep.replace(/\d+/, '"$&"'));
});

it("KD2: is JSON.parse but for those numbers", () => {
  fc.assert(
    fc.property(fc.json(), fc.json(), (one, other) => {
      const value: unknown = JSON.parse(`[${one},${other}]`);
      expect(readJson(`[${one}, 1e1,${other}]`)).toEqual([
        ...(value as unknown[]).slice(0, 1),
        10,
        ...(value as unknown[]).slice(1),
      ]);
    }),
  );
});

it("KD2: keeps the decimal value of every number", () => {
  const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,24})(\.\d{1,24})?(e[+-]?\d{1,3})?$/);
  fc.assert(
    fc.property(digits, (text) => {
      const value = readJson(text);
      expect(decimal(String(value))).toEqual(decimal(text));
    }),
    { numRuns: 1000 },
  );
});

/** The digits and the exponent of the last one: equal for equal numbers. */
function decimal(text: string): [bigint, bigint] {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  let digits = BigInt(whole.replace("-", "") + fraction);
  if (digits === 0n) return [0n, 0n];
  let scale = BigInt(exponent) - BigInt(fraction.length);
  for (; digits % 10n === 0n; scale += 1n) digits /= 10n;
  return [mantissa.startsWith("-") ? -digits : digits, scale];
}
