import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createMasker } from "../src/index.ts";

const SECRET = "correct-horse-battery";
const MASK = "***SECRET***";
const mask = (value: unknown): unknown => createMasker([SECRET]).maskValue(value);

/** An object in an object in an object … */
function nested(depth: number): unknown {
  let value: unknown = SECRET;
  for (let level = 0; level < depth; level++) value = { inner: value };
  return value;
}

/** What lies `depth` objects below, without recursion. */
function innermost(value: unknown, depth: number): unknown {
  let inner = value;
  for (let level = 0; level < depth; level++) inner = (inner as { inner: unknown }).inner;
  return inner;
}

describe("shape", () => {
  it("a circle stays a circle", () => {
    const circle: Record<string, unknown> = { token: SECRET };
    circle["self"] = [new Map([["circle", circle]])];
    const copy = mask(circle) as { token: string; self: [Map<string, unknown>] };
    expect(copy.token).toBe(MASK);
    expect(copy.self[0].get("circle")).toBe(copy);
  });

  it("an object with a toJSON is one copy wherever it is referred to", () => {
    const shared = { toJSON: () => ({ token: SECRET, back: shared }) };
    const [a, b] = mask([shared, shared]) as [{ token: string; back: unknown }, unknown];
    expect(a).toBe(b);
    expect(a).toBe(a.back);
    expect(a.token).toBe(MASK);
  });

  it.each([50, 10_000])("%i levels are walked", (depth) => {
    expect(innermost(mask(nested(depth)), depth)).toBe(MASK);
  });

  it("what lies deeper than 10 000 levels is replaced", () => {
    expect(innermost(mask(nested(10_002)), 10_001)).toBe("[too deep]");
    expect(innermost(mask(nested(100_000)), 10_001)).toBe("[too deep]");
  });

  it("objects that getters make without end are replaced at some point", () => {
    const endless = (): unknown => ({
      get inner() {
        return endless();
      },
    });
    expect(innermost(mask(endless()), 10_001)).toBe("[too deep]");
  });

  // It takes seconds.
  it.each(process.env["LONG_TESTS"] === "true" ? [1_000_001] : [])(
    "more than a million objects are replaced: %d",
    (length) => {
      const copy = mask(Array.from({ length }, () => ({}))) as unknown[];
      expect([copy[999_998], copy[999_999], copy.length]).toEqual([{}, "[too large]", length]);
    },
  );

  it("a getter is read once", () => {
    const getter = vi.fn(() => SECRET);
    expect(mask(Object.defineProperty({}, "token", { get: getter, enumerable: true }))).toEqual({ token: MASK });
    expect(getter).toHaveBeenCalledTimes(1);
  });

  it("a Buffer stays a Buffer", () => {
    expect(Buffer.isBuffer(mask(Buffer.from(SECRET)))).toBe(true);
  });

  it("a symbol with a secret in it is replaced, as a value and as a key", () => {
    const copy = mask({ [Symbol(SECRET)]: Symbol.for(SECRET) }) as Record<symbol, symbol>;
    const [key = Symbol("none")] = Object.getOwnPropertySymbols(copy);
    expect([key.description, copy[key]?.description]).toEqual([MASK, MASK]);
  });
});

describe("hostile input", () => {
  it("does not change any prototype", () => {
    const copy = mask(JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect(Object.keys(copy as object)).toEqual(["__proto__", "constructor"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  it.each<[string, () => unknown]>([
    [
      "a revoked proxy",
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return { token: SECRET, proxy };
      },
    ],
    [
      "a proxy that throws",
      () =>
        new Proxy(
          { token: SECRET },
          {
            ownKeys() {
              throw new Error(SECRET);
            },
          },
        ),
    ],
    [
      "a class tag that throws",
      () => ({
        token: SECRET,
        get [Symbol.toStringTag]() {
          throw new Error(SECRET);
        },
      }),
    ],
  ])("%s fails closed", (_, make) => {
    expect(mask(make())).toBe("[redaction failed]");
  });

  it("is never changed, and masking nothing changes nothing in the copy", () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withTypedArray: true,
      withSparseArray: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const before = structuredClone(value);
        expect(mask(value)).toEqual(before);
        expect(value).toEqual(before);
      }),
    );
  });

  it("shows the secret nowhere, wherever it stands", () => {
    const anything = fc.anything({
      values: [fc.constantFrom(SECRET, `${SECRET}.`, `x${SECRET}`), fc.integer()],
      key: fc.constantFrom(SECRET, "a"),
      withMap: true,
      withSet: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(
          JSON.stringify([mask(value)], (_, part) => (part instanceof Map || part instanceof Set ? [...part] : part)),
        ).not.toContain(SECRET);
      }),
    );
  });
});
