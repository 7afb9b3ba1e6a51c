import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMasker, type MaskStream } from "../src/index.ts";
import { MULTI_LINE, NASTY, TOKEN } from "./sample-values.ts";

/** As often as `npm run faults` does it. */
const LONG = process.env["LONG_TESTS"] === "true";

const P = "***SECRET***";
const SECRET = "correct-horse-battery";

const push = (stream: MaskStream, text: string) => Buffer.from(stream.push(Buffer.from(text))).toString();
const flush = (stream: MaskStream) => Buffer.from(stream.flush()).toString();

describe("what is held back", () => {
  it.each([
    ["nothing of a text that no value begins with", "Continue? [y/N] ", ""],
    ["nothing of a line end", "done\n", ""],
    ["the head of a value", "say correct-horse", "correct-horse"],
    ["its shortest head", "abc", "c"],
    ["the longest of several heads", "correct-correct-", "correct-"],
    ["nothing of a head that goes on differently", "correct-house ", ""],
    ["nothing of a whole value", `say ${SECRET}`, ""],
  ])("%s", (_, text, held) => {
    const output = push(createMasker([SECRET]).stream(), text);
    expect(output).toBe(text.slice(0, text.length - held.length).replace(SECRET, P));
  });

  it("a short value, until it is clear that the word is at its end", () => {
    const stream = createMasker(["sesam"]).stream();
    expect([push(stream, "xse"), push(stream, " ")]).toEqual(["xse", " "]);
    expect([push(stream, "sesam"), push(stream, "e "), push(stream, "sesam"), push(stream, " ")]).toEqual([
      "",
      "sesame ",
      "",
      `${P} `,
    ]);
  });

  it("nothing of a short value with a sign at its end", () => {
    const stream = createMasker(["p4Z!"]).stream();
    expect([push(stream, "x p4Z!"), push(stream, ".")]).toEqual([`x ${P}`, "."]);
  });

  it("a character that can share bits with a value in base64, until the next one", () => {
    const before = "u:";
    const text = btoa(`${before}${SECRET}`);
    const stream = createMasker([SECRET]).stream();
    expect([push(stream, text.slice(0, 3)), push(stream, text.slice(3)), flush(stream)]).toEqual(["dT", P, ""]);
  });

  it("the second half of a longer value does not print a second placeholder", () => {
    const stream = createMasker(["abcdefgh", "efghijkl"]).stream();
    expect([push(stream, "abcdefgh"), push(stream, "ij"), push(stream, "kl."), flush(stream)]).toEqual([
      P,
      "",
      ".",
      "",
    ]);
  });
});

describe("flush", () => {
  it.each([
    ["8 bytes of a value", "log: correct-", `log: ${P}`],
    ["less", "log: correct", "log: correct"],
    ["a form of it", `log: ${btoa(SECRET).slice(0, 12)}`, `log: ${P}`],
    ["nothing", "log", "log"],
  ])("at the end of a stream that cuts off %s", (_, text, masked) => {
    const stream = createMasker([SECRET]).stream();
    expect(push(stream, text) + flush(stream)).toBe(masked);
  });

  it("begins a new stream", () => {
    const stream = createMasker([SECRET]).stream();
    expect([push(stream, SECRET), flush(stream), push(stream, SECRET), flush(stream)]).toEqual([P, "", P, ""]);
  });
});

describe("values that come and go", () => {
  it("a value that is added is found in what is held", () => {
    const masker = createMasker([`${SECRET}-staple`]);
    const stream = masker.stream();
    expect(push(stream, SECRET)).toBe("");
    masker.add([SECRET]);
    expect(push(stream, ".")).toBe(`${P}.`);
  });

  it.each([
    ["push", (stream: MaskStream) => push(stream, "after")],
    ["flush", (stream: MaskStream) => `${flush(stream)}${push(stream, "after")}`],
  ])("after dispose, %s prints a placeholder for what is held", (_, go) => {
    const masker = createMasker([SECRET]);
    const stream = masker.stream();
    expect(push(stream, "x correct-horse")).toBe("x ");
    masker.dispose();
    expect(go(stream)).toBe(`${P}after`);
  });

  it("two streams of one masker have nothing to do with each other", () => {
    const masker = createMasker([SECRET]);
    const [one, two] = [masker.stream(), masker.stream()];
    expect([push(one, "correct-horse"), push(two, "-battery"), flush(one), flush(two)]).toEqual([
      "",
      "-battery",
      P,
      "",
    ]);
  });
});

describe("bytes", () => {
  it("any bytes go through unchanged, in a buffer of their own", () => {
    const stream = createMasker([SECRET]).stream();
    const bytes = Uint8Array.from({ length: 1_000_000 }, (_, index) => index);
    const output = Buffer.concat([stream.push(bytes), stream.flush()]);
    expect(output.equals(bytes)).toBe(true);
    expect(stream.push(bytes).buffer).not.toBe(bytes.buffer);
  });

  it.each([
    ["nothing of a chunk is masked", "log", "log"],
    ["a value is longer than the placeholder", `a ${SECRET} b`, `a ${P} b`],
    ["a value is not", "a sesam b", `a ${P} b`],
  ])("a stream that owns its chunks gives them out where %s", (_, text, masked) => {
    const stream = createMasker([SECRET, "sesam"]).stream({ ownsChunks: true });
    const chunk = new TextEncoder().encode(text);
    const output = stream.push(chunk);
    expect(Buffer.from(output).toString()).toBe(masked);
    expect(output.buffer === chunk.buffer).toBe(masked.length <= text.length);
    expect(Buffer.from(chunk).toString()).not.toContain("sesam");
  });

  it.each([false, true])("a chunk that other threads can write to is masked; owned: %s", (ownsChunks) => {
    const stream = createMasker([SECRET]).stream({ ownsChunks });
    const text = `a ${SECRET} b`;
    const chunk = new Uint8Array(new SharedArrayBuffer(text.length));
    chunk.set(Buffer.from(text));
    expect(Buffer.from(stream.push(chunk)).toString()).toBe(`a ${P} b`);
    expect(Buffer.from(chunk).toString().startsWith(`a ${SECRET} b`)).toBe(!ownsChunks);
  });

  it("a value that is added is found behind a character that went out, and shares bits with it", () => {
    const text = btoa(`u:${SECRET}`);
    const masker = createMasker();
    const stream = masker.stream();
    const first = push(stream, text.slice(0, 3));
    masker.add([SECRET]);
    expect([first, push(stream, text.slice(3)), flush(stream)]).toEqual(["dTp", P, ""]);
  });

  it.each([P, "[a placeholder longer than the value]"])(
    "the same inside of a terminal sequence, with %s",
    (placeholder) => {
      const value = "hunter2-xy";
      const text = btoa(`o${value}`);
      const masker = createMasker([], { placeholder });
      const stream = masker.stream();
      const first = push(stream, `log \u001b[${text[1]}`);
      masker.add([value]);
      expect([first, push(stream, `${text.slice(2)}\nline\n`)]).toEqual([
        `log \u001b[${text[1]}`,
        `${placeholder}\nline\n`,
      ]);
    },
  );

  it("what is no bytes fails closed, and the stream goes on", () => {
    const stream = createMasker([SECRET]).stream();
    push(stream, "correct-horse");
    expect(Buffer.from(stream.push("-battery" as never)).toString()).toBe("[redaction failed]");
    expect(push(stream, "on")).toBe("on");
  });

  it("come out as those of the whole text, however they are cut", () => {
    const values = [TOKEN, NASTY, MULTI_LINE, "sesam", "pässwörter", "🔑🔑🔑🔑🔑🔑🔑🔑"];
    const encoded = (value: string) => [
      value,
      JSON.stringify(value),
      encodeURIComponent(value),
      btoa(encodeURI(value)),
      value.replaceAll("\n", "\r\n"),
      value.slice(0, 9),
    ];
    const piece = fc.oneof(
      fc.constantFrom(...values.flatMap(encoded), P, "\r\n", "\\n", "\\u0022", "%20", "\u001b[31m"),
      fc.string({ unit: "grapheme", maxLength: 5 }),
    );
    const cuts = fc.array(fc.nat(60), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), cuts, fc.boolean(), (pieces, lengths, ownsChunks) => {
        const bytes = Buffer.from(`${pieces.join("")}.`);
        const whole = createMasker(values);
        const masker = createMasker(values);
        const stream = masker.stream({ ownsChunks });
        const parts: Uint8Array[] = [];
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const length = lengths[turn % lengths.length] ?? 0;
          const end = start + Math.max(1, length);
          parts.push(stream.push(Uint8Array.from(bytes.subarray(start, end))));
          start = end;
        }
        expect(Buffer.concat([...parts, stream.flush()]).toString()).toBe(whole.mask(bytes.toString()));
        expect(masker.report()).toEqual(whole.report());
      }),
      { numRuns: LONG ? 100 : 20 },
    );
  });
});
