import { describe, expect, expectTypeOf, it } from "vitest";
import { createMasker, type Masker } from "../src/index.ts";
import { MULTI_LINE, TOKEN } from "./sample-values.ts";

const P = "***SECRET***";

describe("mask", () => {
  it.each([
    ["nothing to mask", ["hunter2-hunter2"], "nothing here", "nothing here"],
    ["two values", ["first-value", "second-value"], "first-value, second-value", `${P}, ${P}`],
    ["nested: the longest", ["password", "password-of-mine"], "password-of-mine", P],
    ["nested: the longest, whatever the order", ["password-of-mine", "password"], "password-of-mine", P],
    ["a value in the middle of another", ["the-secret-of-mine", "secret-o"], "the-secret-of-mine", P],
    ["overlapping", ["abcdefgh", "efghijkl"], "abcdefghijkl", P],
    ["overlapping with itself", ["abcabcabc"], "abcabcabcabc", P],
    ["touching", ["abcdefgh", "ijklmnop"], "abcdefghijklmnop!abcdefgh", `${P}!${P}`],
    ["repeated", ["abcdefgh"], "abcdefghabcdefgh", P],
    ["the head of one in front of another", ["abcdefgh"], "abcabcdefgh", `abc${P}`],
    ["of the kind that a RegExp would misread", ["(a+)+$[^.*]\\"], "x(a+)+$[^.*]\\x", `x${P}x`],
    ["of the kind that replace would misread", ["$&$1$$`aaa"], "[$&$1$$`aaa]", `[${P}]`],
    ["astral characters", ["🔑🔑🔑🔑🔑🔑🔑🔑"], "a🔑🔑🔑🔑🔑🔑🔑🔑b", `a${P}b`],
    ["a lone surrogate", ["\ud83d lone surrogate"], "a\ud83d lone surrogate", `a${P}`],
    ["NUL and line ends", ["a\0b\tc\nd\r\ne"], "[a\0b\tc\nd\r\ne]", `[${P}]`],
  ])("%s", (_, values, text, masked) => {
    expect(createMasker(values).mask(text)).toBe(masked);
  });

  it("gives back the very text where there is nothing to mask", () => {
    const text = "x".repeat(100_000);
    expect(createMasker([TOKEN]).mask(text)).toBe(text);
  });
});

describe("values of 4 to 7 characters match as whole words only", () => {
  it.each([
    ["open sesam now", `open ${P} now`],
    ["sesam", P],
    ["(sesam)", `(${P})`],
    ["ésesamé", `é${P}é`],
    ["sesame", "sesame"],
    ["xsesam", "xsesam"],
    ["_sesam", "_sesam"],
    ["sesam1", "sesam1"],
    ["sesam sesam", `${P} ${P}`],
  ])("%s", (text, masked) => {
    expect(createMasker(["sesam"]).mask(text)).toBe(masked);
    const stream = createMasker(["sesam"]).stream();
    const bytes = [...new TextEncoder().encode(text)].map((byte) => stream.push(Uint8Array.of(byte)));
    expect(new TextDecoder().decode(Uint8Array.from([...bytes, stream.flush()].flatMap((part) => [...part])))).toBe(
      masked,
    );
  });

  it("one of 8 characters matches anywhere", () => {
    expect(createMasker(["sesamsee"]).mask("xsesamseex")).toBe(`x${P}x`);
  });
});

describe("what cannot be masked", () => {
  it.each(["abc", "🔑🔑🔑", "true", "FALSE", "null", "yes", "no", " no \n", "      ", "   ab   "])("%j", (value) => {
    const masker = createMasker([{ name: "PIN", value }]);
    expect(masker.unmaskable()).toEqual(["PIN"]);
    expect(masker.mask(`is ${value} masked?`)).toBe(`is ${value} masked?`);
  });

  it("is named once, in the order it came; an empty value is nothing", () => {
    const values = ["B", "A", "B"].map((name) => ({ name, value: "123" }));
    expect(createMasker([...values, { name: "C", value: "" }]).unmaskable()).toEqual(["B", "A"]);
  });

  it("does not keep other values of the same name from being masked", () => {
    const masker = createMasker([
      { name: "DB", value: "no" },
      { name: "DB", value: "a-long-password" },
    ]);
    expect(masker.mask("a-long-password")).toBe(P);
    expect(masker.unmaskable()).toEqual(["DB"]);
  });

  it("an encoding of a short value that is shorter than 8 characters", () => {
    expect(createMasker(["abcd"]).mask(`${btoa("abcd")} ${btoa("abcd").replaceAll("=", "")}`)).toBe(`${P} YWJjZA`);
  });
});

describe("the lines of a value", () => {
  const value = ["user: somebody", "short", "pass: hunter2-hunter2", "last"].join("\n");

  it.each([
    ["the whole", value, P],
    ["a line of at least 8 characters", "> pass: hunter2-hunter2 <", `> ${P} <`],
    ["line by line", value.split("\n").join("\n| "), `${P}\n| short\n| ${P}\n| last`],
    ["the last short line, behind the one before it", "pass: hunter2-hunter2\r\nlast", P],
    ["a short line alone", "short last", "short last"],
  ])("%s", (_, text, masked) => {
    expect(createMasker([value]).mask(text)).toBe(masked);
  });

  it("what frames a PEM is no secret", () => {
    const masked = createMasker([MULTI_LINE]).mask(MULTI_LINE.split("\n").join("\n# "));
    expect(masked).toBe(`-----BEGIN PRIVATE KEY-----\n# ${P}\n# ${P}\n# Aj3k=\n# -----END PRIVATE KEY-----\n# `);
  });
});

describe("placeholder", () => {
  it.each([P, P + P, "***SECRET***SECRET***", `a ${P}${P} b ${P}`])("one that stands in the text stays: %s", (text) => {
    expect(createMasker([TOKEN]).mask(text)).toBe(text);
  });

  it("a value that touches one gets its own", () => {
    expect(createMasker(["hunter2-hunter2"]).mask(`${P}hunter2-hunter2${P}`)).toBe(P + P + P);
  });

  it.each(["SECRET", "***SECRET", "SECRET***", "**SECRET**", P])(
    "a value that is part of it does no harm: %s",
    (value) => {
      const masker = createMasker([value]);
      expect(masker.mask(`a ${P} b`)).toBe(`a ${P} b`);
      expect(masker.report()).toEqual({});
    },
  );

  it("a value that contains it is masked as a whole", () => {
    expect(createMasker([`x${P}y`]).mask(`[x${P}y]`)).toBe(`[${P}]`);
  });

  it.each(["", "*", "[hidden]", "$&", "‹geheim›", "secret"])("any text can be one: %j", (placeholder) => {
    const masker = createMasker(["hunter2-hunter2"], { placeholder });
    expect(masker.mask("a hunter2-hunter2 b")).toBe(`a ${placeholder} b`);
    const stream = masker.stream();
    const out = [stream.push(new TextEncoder().encode("a hunter2-hunter2 b")), stream.flush()];
    expect(out.map((part) => new TextDecoder().decode(part)).join("")).toBe(`a ${placeholder} b`);
  });
});

describe("report", () => {
  it("counts placeholders by name, and names the forms", () => {
    const masker = createMasker([
      { name: "A", value: 'first "value"' },
      { name: "B", value: "second-value" },
    ]);
    masker.mask('first "value" and first "value"first "value"');
    masker.maskValue({ list: [JSON.stringify('first "value"')], other: "no" });
    expect(masker.report()).toEqual({ A: { count: 3, variants: ["value", "json"] } });
  });

  it("names every secret that has a part in a placeholder, and both owners of one value", () => {
    const masker = createMasker([
      { name: "A", value: "abcdefgh" },
      { name: "B", value: "efghijkl" },
      { name: "C", value: "abcdefgh" },
    ]);
    masker.mask("abcdefghijkl");
    expect(Object.entries(masker.report()).map(([name, { count }]) => [name, count])).toEqual([
      ["A", 1],
      ["C", 1],
      ["B", 1],
    ]);
  });

  it("counts a text that is masked already for the names that it has, where a value yields", () => {
    const masker = createMasker([{ name: "DB", value: "postgres://app:the-Password-1@db.example" }]);
    masker.add([
      { name: "LATE", value: "the-Password-1", yields: true },
      { name: "LATER", value: "postgres://app:the-Password-1@other.example", yields: true },
      { name: "LAST", value: "postgres://app:the-Password-1@other.example", yields: true },
    ]);
    expect(masker.mask("the-Password-1")).toBe(P);
    expect(masker.mask("postgres://app:the-Password-1@other.example")).toBe(P);
    const counts = Object.entries(masker.report()).map(([name, { count }]) => [name, count]);
    expect(Object.fromEntries(counts)).toEqual({ DB: 1, LATER: 1 });
  });

  it("names one form where two values of a secret have the same text in different forms", () => {
    const masker = createMasker(['a "quoted" value', 'a \\"quoted\\" value'].map((value) => ({ name: "A", value })));
    masker.mask('a \\"quoted\\" value');
    expect(masker.report()).toEqual({ A: { count: 1, variants: ["json"] } });
  });

  it("a plain string has the name secret; any name is a key like others", () => {
    const masker = createMasker(["first-value", { name: "__proto__", value: "second-value" }]);
    masker.mask("first-value second-value");
    expect(Object.keys(masker.report())).toEqual(["secret", "__proto__"]);
  });
});

describe("add and dispose", () => {
  it("values can be added at any time", () => {
    const masker = createMasker();
    expect(masker.mask("hunter2-hunter2")).toBe("hunter2-hunter2");
    masker.add(new Set(["hunter2-hunter2"]));
    expect(masker.mask("hunter2-hunter2")).toBe(P);
  });

  it("one string is one value, not a list of letters", () => {
    expect(createMasker("hunter2-hunter2").mask("hunter2-hunter2")).toBe(P);
  });

  it.each([
    [undefined],
    [null],
    [5],
    [{ name: "A" }],
    [{ value: "hunter2-hunter2" }],
    [{ name: "A", value: 12345678 }],
  ])("what is no value is refused: %j", (input) => {
    expect(() => createMasker([input as never])).toThrow(TypeError);
    expect(() => createMasker([input as never])).not.toThrow(/hunter2|12345678/);
  });

  it("dispose forgets everything; after it the masker can be used again", () => {
    const masker = createMasker(["hunter2-hunter2", "abc"]);
    masker.mask("hunter2-hunter2");
    masker.dispose();
    masker.dispose();
    expect(masker.mask("hunter2-hunter2")).toBe("hunter2-hunter2");
    expect([masker.report(), masker.unmaskable()]).toEqual([{}, []]);
    masker.add(["another-value"]);
    expect(masker.mask("another-value hunter2-hunter2")).toBe(`${P} hunter2-hunter2`);
  });

  it("values of any length are found, whichever comes first", () => {
    const texts = [3, 9, 1, 7, 2, 30, 4, 6, 11].map((count, index) => `${"Q7x".repeat(count)}${index}`);
    const masker = createMasker();
    const stream = masker.stream();
    const passed = (text: string) => Buffer.from(stream.push(Buffer.from(text))).toString();
    for (const [index, text] of texts.entries()) {
      masker.add([text]);
      const log = texts
        .slice(0, index + 1)
        .map((each) => `${each} and `)
        .join("")
        .repeat(40);
      expect(masker.mask(log)).not.toContain("Q7x");
      expect(passed(log)).not.toContain("Q7x");
    }
  });

  it("what is no text is masked as text, or fails closed", () => {
    const masker = createMasker(["12345678"]);
    expect(masker.mask(12345678 as never)).toBe(P);
    expect(masker.mask(Symbol("12345678") as never)).toBe("[redaction failed]");
  });
});

it("has the shape of SecretMasker", () => {
  interface SecretMasker {
    add(values: Iterable<{ readonly name: string; readonly value: string }>): void;
    mask(text: string): string;
    maskValue(value: unknown): unknown;
    unmaskable(): readonly string[];
    report(): Readonly<Record<string, { readonly count: number; readonly variants: readonly string[] }>>;
    dispose(): void;
  }
  expectTypeOf<Masker>().toExtend<SecretMasker>();
});
