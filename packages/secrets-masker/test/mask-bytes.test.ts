import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const P = "***SECRET***";

it.each([
  ["nothing", "", ""],
  ["no value", "nothing here", "nothing here"],
  ["a value", "a hunter2-hunter2 b", `a ${P} b`],
  ["a value shorter than the placeholder", "a 12345678 b 12345678", `a ${P} b ${P}`],
  ["UTF-8", "é pässwörter é", `é ${P} é`],
])("bytes are masked as a whole: %s", (_, text, masked) => {
  const masker = createMasker(["hunter2-hunter2", "12345678", "pässwörter"]);
  expect(Buffer.from(masker.maskBytes(Buffer.from(text))).toString()).toBe(masked);
});

it("the very array comes back where there is nothing to mask, and another one where there is", () => {
  const masker = createMasker(["hunter2-hunter2"]);
  const [clean, dirty] = ["nothing", "a hunter2-hunter2 b"].map((text) => Buffer.from(text));
  expect(masker.maskBytes(clean as Buffer)).toBe(clean);
  expect(masker.maskBytes(dirty as Buffer).buffer).not.toBe(dirty?.buffer);
  expect(dirty?.toString()).toBe("a hunter2-hunter2 b");
});

describe("with a target", () => {
  const SECRET = "hunter2-hunter2";
  const mask = (text: string, target: Uint8Array, placeholder = P) =>
    createMasker([SECRET], { placeholder }).maskBytes(Buffer.from(text), target);

  it.each([
    ["a value", `a ${SECRET} b`, P],
    ["a value with a longer placeholder", `${SECRET} ${SECRET}`, "<a placeholder of more bytes>"],
    ["all of it", SECRET, ""],
  ])("%s", (_, text, placeholder) => {
    const target = new Uint8Array(100).fill(1);
    const output = mask(text, target, placeholder);
    expect(Buffer.from(output).toString()).toBe(text.replaceAll(SECRET, placeholder));
    expect(output.buffer).toBe(target.buffer);
    expect(target.subarray(output.length).every((byte) => byte === 1)).toBe(true);
  });

  it("nothing is written to it where there is nothing to mask", () => {
    const [bytes, target] = [Buffer.from("nothing"), new Uint8Array(100)];
    expect(createMasker([SECRET]).maskBytes(bytes, target)).toBe(bytes);
    expect(target.every((byte) => byte === 0)).toBe(true);
  });

  it("what does not fit into it gets a buffer of its own", () => {
    const target = new Uint8Array(P.length - 1);
    expect(Buffer.from(mask(SECRET, target)).toString()).toBe(P);
    expect(target.every((byte) => byte === 0)).toBe(true);
  });

  it.each([
    [0, false],
    [1, false],
    [34, false],
    [35, true],
  ])("bytes that are masked are none: a target that begins %i bytes behind them", (offset, isUsed) => {
    const memory = new Uint8Array(100);
    const text = `${SECRET} and ${SECRET}`;
    const bytes = memory.subarray(0, text.length);
    bytes.set(Buffer.from(text));
    const output = createMasker([SECRET], { placeholder: "*" }).maskBytes(bytes, memory.subarray(offset));
    expect(Buffer.from(output).toString()).toBe("* and *");
    expect(output.buffer === memory.buffer).toBe(isUsed);
    expect(Buffer.from(bytes).toString()).toBe(text);
  });

  it.each([[null], [[]], [new Uint16Array(100)]])("what is no bytes is none, and fails closed: %j", (target) => {
    const output = createMasker([SECRET]).maskBytes(Buffer.from(SECRET), target as never);
    expect(new TextDecoder().decode(output)).toBe("[redaction failed]");
  });
});

it.each([[null], ["hunter2-hunter2"], [new Uint16Array(Buffer.from("hunter2-hunter2-"))], [{ length: 9 }]])(
  "what is no bytes fails closed: %j",
  (bytes) => {
    const output = createMasker(["hunter2-hunter2"]).maskBytes(bytes as never);
    expect(new TextDecoder().decode(output)).toBe("[redaction failed]");
  },
);

it("a stream leaves nothing of a value in the buffer that it gives out", () => {
  const stream = createMasker(["hunter2-hunter2-hunter2"]).stream();
  const outputs = ["a hunter2-hunter2-hunter2 b hunter2-h", "!"].map((text) => stream.push(Buffer.from(text)));
  for (const output of outputs.slice(0, 1)) expect(Buffer.from(output.buffer).toString()).not.toContain("hunter2");
  expect(Buffer.concat(outputs).toString()).toBe(`a ${P} b hunter2-h!`);
});
