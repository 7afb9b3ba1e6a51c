import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const SECRET = "correct-horse-battery";
const MASK = "***SECRET***";
const mask = (value: unknown) => createMasker([SECRET, "12345678", "2027-01-31"]).maskValue(value);

class Account {
  readonly token = SECRET;
  readonly #hidden = SECRET;
  get hidden() {
    return this.#hidden;
  }
}

class Printed {
  toJSON() {
    return { token: SECRET, ofClass: "Printed" };
  }
}

const symbol = Symbol("harmless");
const invalidDate = new Date(Number.NaN);

describe("kinds of values", () => {
  it.each<[string, unknown, unknown]>([
    ["string", `a ${SECRET} b`, `a ${MASK} b`],
    ["undefined", undefined, undefined],
    ["null", null, null],
    ["number that is a secret", 12345678, MASK],
    ["number with a secret inside", 9123456780, 9123456780],
    ["BigInt that is a secret", 12345678n, MASK],
    ["BigInt", 5n, 5n],
    ["boolean", true, true],
    ["symbol", symbol, symbol],
    [
      "function",
      function pay() {
        return SECRET;
      },
      "[Function: pay]",
    ],
    ["function with a secret for a name", { [SECRET]: () => SECRET }, { [MASK]: `[Function: ${MASK}]` }],
    ["array", [SECRET, 1, [SECRET]], [MASK, 1, [MASK]]],
    ["sparse array", Object.assign([], { 2: SECRET }), Object.assign([], { 2: MASK })],
    ["array with a property", Object.assign([1], { note: SECRET }), Object.assign([1], { note: MASK })],
    ["object", { a: SECRET, b: { c: SECRET } }, { a: MASK, b: { c: MASK } }],
    [
      "object without a prototype",
      Object.assign(Object.create(null), { a: SECRET }),
      Object.assign(Object.create(null), { a: MASK }),
    ],
    ["key", { [`x-${SECRET}`]: 1 }, { [`x-${MASK}`]: 1 }],
    ["keys that are masked alike", { [SECRET]: 1, [SECRET + SECRET]: 2 }, { [MASK]: 1, [`${MASK} (2)`]: 2 }],
    [
      "Map",
      new Map<unknown, unknown>([
        [SECRET, { a: SECRET }],
        [SECRET + SECRET, 2],
      ]),
      new Map<unknown, unknown>([
        [MASK, { a: MASK }],
        [`${MASK} (2)`, 2],
      ]),
    ],
    ["Set", new Set([SECRET, 1, SECRET + SECRET]), new Set([MASK, 1])],
    ["Date", new Date(0), new Date(0)],
    ["Date that shows a secret", new Date("2027-01-31T12:00:00Z"), `${MASK}T12:00:00.000Z`],
    ["invalid Date", invalidDate, invalidDate],
    ["RegExp", /a+/gi, /a+/gi],
    ["RegExp that shows a secret", new RegExp(SECRET, "u"), `/${MASK}/u`],
    ["String object", new String(SECRET), MASK],
    ["Number object", new Number(12345678), MASK],
    ["Boolean object", new Boolean(false), false],
    ["Symbol object", Object(symbol), symbol],
    ["BigInt object", Object(5n), 5n],
    ["Buffer", Buffer.from(`a ${SECRET}`), Buffer.from(`a ${MASK}`)],
    ["Uint8Array", new TextEncoder().encode(SECRET), new TextEncoder().encode(MASK)],
    ["Int8Array", Int8Array.from(Buffer.from(SECRET)), Int8Array.from(Buffer.from(MASK))],
    [
      "DataView",
      new DataView(new TextEncoder().encode(SECRET).buffer),
      new DataView(new TextEncoder().encode(MASK).buffer),
    ],
    ["ArrayBuffer", new TextEncoder().encode(SECRET).buffer, new TextEncoder().encode(MASK).buffer],
    ["Float64Array", Float64Array.of(1.5, -2), Float64Array.of(1.5, -2)],
    ["Float64Array with a number that is a secret", Float64Array.of(12345678), MASK],
    ["Uint16Array with a secret in its bytes", new Uint16Array(new TextEncoder().encode(`${SECRET}!`).buffer), MASK],
    ["class instance", new Account(), { token: MASK }],
    ["toJSON", new Printed(), { token: MASK, ofClass: "Printed" }],
    ["toJSON that gives text", new URL(`https://host/?token=${SECRET}`), `https://host/?token=${MASK}`],
    [
      "toJSON that gives the object itself",
      {
        a: SECRET,
        toJSON() {
          return this;
        },
      },
      { a: MASK, toJSON: "[Function: toJSON]" },
    ],
    [
      "toJSON that throws",
      {
        toJSON() {
          throw new Error(SECRET);
        },
      },
      "[unreadable]",
    ],
    [
      "getter that throws",
      {
        get a() {
          throw new Error(SECRET);
        },
        b: SECRET,
      },
      { a: "[unreadable]", b: MASK },
    ],
    [
      "object that claims to be a Map",
      { [Symbol.toStringTag]: "Map", a: SECRET },
      { [Symbol.toStringTag]: "Map", a: MASK },
    ],
    ["from another realm", runInNewContext(`new Map([["a", ["${SECRET}"]]])`), new Map([["a", [MASK]]])],
  ])("%s", (_, value, masked) => {
    expect(mask(value)).toEqual(masked);
    expect(inspect(mask(value), { depth: null, showHidden: true })).not.toContain(SECRET);
  });
});
