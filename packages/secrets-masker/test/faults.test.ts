import { Buffer } from "node:buffer";
import { execFile, execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf } from "./leaks.ts";

const P = "***SECRET***";
const SECRET = "correct-horse-battery";
const mask = (value: unknown) => createMasker([SECRET, "12345678"]).maskValue(value);

describe("M8: masked, and nothing is thrown", () => {
  const nested = (depth: number): unknown => (depth === 0 ? SECRET : [nested(depth - 1)]);
  const circle: Record<string, unknown> = { a: SECRET };
  circle["self"] = circle;

  it.each<[string, unknown]>([
    ["a cause chain", new Error("a", { cause: new Error("b", { cause: new Error(SECRET) }) })],
    ["AggregateError", new AggregateError([new Error(SECRET)], SECRET)],
    ["Map", new Map([[SECRET, SECRET]])],
    ["Set", new Set([SECRET])],
    ["Buffer", Buffer.from(SECRET)],
    [
      "getter",
      {
        get a() {
          return SECRET;
        },
      },
    ],
    [
      "getter that throws",
      {
        get a() {
          throw new Error(SECRET);
        },
      },
    ],
    ["toJSON", { toJSON: () => ({ a: SECRET }) }],
    [
      "toJSON that throws",
      {
        toJSON() {
          throw new Error(SECRET);
        },
      },
    ],
    ["BigInt", { a: 12345678n, b: SECRET }],
    ["symbol key", { [Symbol(SECRET)]: SECRET }],
    ["circle", circle],
    ["depth of 50", nested(50)],
    ["depth of 9 999", nested(9_999)],
    ["key of an object", { [SECRET]: { [`x-${SECRET}`]: 1 } }],
    ["URLSearchParams in a URL", { url: new URL(`https://host/?a=${SECRET}`) }],
  ])("%s", (_, value) => {
    const printed = inspect(mask(value), { depth: null, showHidden: true });
    expect(printed).not.toContain(SECRET);
    expect(printed).not.toContain("12345678");
    expect(Buffer.from((mask({ value: Buffer.from(SECRET) }) as { value: Buffer }).value).toString()).toBe(P);
  });
});

describe("M9: values that cannot be masked, or that are part of the placeholder", () => {
  it.each([
    ["empty", "", []],
    ["white space", " \t\r\n\u00a0\u2028 ", ["S"]],
    ["1 character", "x", ["S"]],
    ["3 characters", "abc", ["S"]],
    ["a common word", "True", ["S"]],
    ["the placeholder", P, []],
    ["part of it", "SECRET", []],
    ["part of it, from 8 characters on", "SECRET***", []],
    ["asterisks", "********", []],
  ])("%s", (_, value, unmaskable) => {
    const masker = createMasker([{ name: "S", value }]);
    expect(masker.unmaskable()).toEqual(unmaskable);
    const log = `${P} x abc true and ${P}${P}, nothing runs away`;
    expect(masker.mask(log)).toBe(log);
    expect(masker.mask(masker.mask(log))).toBe(log);
  });

  it("a value around the placeholder, and one of nothing but placeholders", () => {
    for (const value of [`x${P}y`, P + P, `${P}\n${P}`, `"${P}"`]) {
      expect(createMasker([value]).mask(`<${P}>`)).toBe(`<${P}>`);
      expect(createMasker([value]).mask(`<${value}>`)).not.toContain("SECRETx");
    }
  });
});

describe("M10: what is cut off after it was masked", () => {
  const value = Buffer.from(Array.from({ length: 50_000 }, (_, index) => (index * 7919) % 251)).toString("base64");
  const masker = createMasker([value]);

  it("shows no part of a value longer than the limit", () => {
    for (const limit of [10, 40, 80, 1_000]) {
      expect(leaksOf(masker.mask(`token: ${value} end`).slice(0, limit), value)).toEqual([]);
    }
  });

  it("a stream that ends inside of it shows fewer than 8 characters", () => {
    for (const length of [7, 8, 100, 30_000]) {
      const stream = masker.stream();
      const output = Buffer.concat([stream.push(Buffer.from(`token: ${value.slice(0, length)}`)), stream.flush()]);
      expect(leaksOf(output.toString(), value)).toEqual([]);
    }
  });
});

describe("M11: what is made of a value", () => {
  it.each([
    ["Basic credentials", `Authorization: Basic ${btoa(`user:${SECRET}`)}`],
    ["credentials in a URL", `GET https://user:${encodeURIComponent(SECRET)}@host/`],
    ["a netrc line", `machine host login user password ${SECRET}`],
    ["a form", new URLSearchParams({ grant_type: "password", password: SECRET }).toString()],
  ])("%s", (_, text) => {
    expect(leaksOf(createMasker([SECRET]).mask(text), SECRET)).toEqual([]);
    expect(createMasker([SECRET]).mask(text)).toContain(P);
  });

  it("a token that arrives during the run is masked from then on", () => {
    const masker = createMasker([SECRET]);
    masker.add([{ name: "OAUTH", value: "ya29.a0AfB_byDexample" }]);
    expect(masker.mask("Bearer ya29.a0AfB_byDexample")).toBe(`Bearer ${P}`);
  });
});

describe("M12: texts of errors", () => {
  const failed = (run: () => unknown) =>
    Promise.resolve()
      .then(run)
      .then(
        () => expect.unreachable(),
        (error: unknown) => error,
      );
  const exec = (file: string, args: string[]) =>
    new Promise((resolve, reject) => {
      execFile(file, args, (error) => (error === null ? resolve(null) : reject(error)));
    });

  it.each<[string, () => unknown]>([
    ["fetch of a URL that is none", () => fetch(`http://${SECRET}:${SECRET}@`)],
    ["fetch with a header that is none", () => fetch("http://localhost", { headers: { a: `${SECRET}\n` } })],
    ["URL", () => new URL(`//${SECRET}`)],
    ["JSON.parse", () => JSON.parse(`{"token": ${SECRET}}`)],
    ["a program that is not there", () => execFileSync(`no-${SECRET}`, [SECRET])],
    ["a program that fails", () => exec(process.execPath, ["-e", `throw new Error("${SECRET}")`])],
    [
      "its output",
      () => execFileSync(process.execPath, ["-e", `console.log("${SECRET}"); process.exit(3)`], { stdio: "pipe" }),
    ],
    ["a file that is not there", () => readFile(`/nowhere/${SECRET}`)],
  ])("%s", async (_, run) => {
    const masked = mask(await failed(run));
    expect(masked).toBeInstanceOf(Error);
    expect(inspect(masked, { depth: null, showHidden: true })).not.toContain(SECRET);
  });
});

describe("M15: a value that is a number", () => {
  const masker = createMasker(["12345678"]);

  it("is masked as a number of its own, in text, and in no longer number that is one", () => {
    expect(masker.maskValue({ pin: 12345678, big: 12345678n, list: [12345678] })).toEqual({
      pin: P,
      big: P,
      list: [P],
    });
    expect(masker.mask('{"pin":12345678}')).toBe(`{"pin":${P}}`);
    expect(masker.maskValue({ other: 1123456789 })).toEqual({ other: 1123456789 });
    expect(masker.maskValue(12345678.0)).toBe(P);
    expect(masker.maskValue("1.2345678e7")).toBe("1.2345678e7");
  });

  it("booleans are never secrets", () => {
    const words = createMasker(["true", "false"]);
    expect(words.maskValue([true, false, "true"])).toEqual([true, false, "true"]);
  });
});
