import { describe, expect, it } from "vitest";
import { createPinoHooks } from "../src/adapters/pino-hooks.ts";
import { createMasker } from "../src/index.ts";

const P = "***SECRET***";
const masker = createMasker(['correct "horse" battery', "12345678", '",\\"level', 'x","pid":7,"y']);
const { streamWrite } = createPinoHooks(masker);

/** Lines as pino 10.3.1 gives them to `hooks.streamWrite`: JSON and a line end (lib/proto.js, write). */
const line = (record: object) => `${JSON.stringify({ level: 30, time: 1763810000000, ...record })}\n`;

describe("the hook streamWrite of pino", () => {
  it.each([
    ["nothing to mask", { msg: "hello" }, { msg: "hello" }],
    ["a message", { msg: 'got correct "horse" battery' }, { msg: `got ${P}` }],
    ["a key", { 'correct "horse" battery': 1 }, { [P]: 1 }],
    ["an error", { err: { type: "Error", stack: 'Error: correct "horse" battery\n    at x' } }, undefined],
    ["a number", { pin: 12345678, other: 123456789 }, { pin: P, other: `${P}9` }],
    ["a number in a list", { pins: [12345678, 1], msg: "12345678" }, { pins: [P, 1], msg: P }],
  ])("masks %s, and what comes out is JSON with a line end", (_, record, masked) => {
    const written = streamWrite(line(record));
    expect(written).toMatch(/^\{.*\}\n$/);
    expect(written).not.toMatch(/horse/);
    if (masked !== undefined) expect(JSON.parse(written)).toEqual({ level: 30, time: 1763810000000, ...masked });
  });

  it("keeps the line as it is where there is nothing to mask", () => {
    const text = line({ msg: "hello" });
    expect(streamWrite(text)).toBe(text);
  });

  it("a value that stands across fields leaves a line that is JSON and does not show it", () => {
    const written = streamWrite('{"level":30,"a":"x","pid":7,"y":1}\n');
    expect(JSON.parse(written)).toEqual({ msg: `{"level":30,"a":"${P}":1}\n` });
  });

  it("what is no JSON fails closed", () => {
    expect(JSON.parse(streamWrite('not JSON: correct "horse" battery'))).toEqual({ msg: `not JSON: ${P}` });
  });

  it("values that are added later are masked from then on", () => {
    const late = createMasker();
    const hooks = createPinoHooks(late);
    expect(hooks.streamWrite(line({ msg: "hunter2-hunter2" }))).toContain("hunter2");
    late.add(["hunter2-hunter2"]);
    expect(JSON.parse(hooks.streamWrite(line({ msg: "hunter2-hunter2" })))).toMatchObject({ msg: P });
  });

  it("works as pino calls it, without a receiver, and in a child", () => {
    const options = { hooks: createPinoHooks(masker) };
    const written: string[] = [];
    const hook = options.hooks.streamWrite;
    written.push(hook(line({ name: "child", msg: "12345678" })));
    expect(written).toEqual([line({ name: "child", msg: P })]);
  });
});
