import { Buffer } from "node:buffer";
import { once } from "node:events";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { createMasker, createMaskTransformOptions, createMaskTransformStream } from "../src/index.ts";

const P = "***SECRET***";
const SECRET = "correct-hörse-battery";

async function throughNode(chunks: readonly (string | Uint8Array)[]): Promise<string> {
  const transform = new Transform(createMaskTransformOptions(createMasker([SECRET])));
  const output: Uint8Array[] = [];
  await pipeline(Readable.from(chunks, { objectMode: false }), transform, async (source) => {
    for await (const chunk of source) output.push(chunk as Uint8Array);
  });
  return Buffer.concat(output).toString();
}

async function throughWeb(chunks: readonly (string | Uint8Array)[]): Promise<string> {
  const source = new Blob(chunks.map((chunk) => new Uint8Array(Buffer.from(chunk)))).stream();
  const bytewise = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      for (const byte of chunk) controller.enqueue(Uint8Array.of(byte));
    },
  });
  const output: Uint8Array[] = [];
  for await (const chunk of source
    .pipeThrough(bytewise)
    .pipeThrough(createMaskTransformStream(createMasker([SECRET])))) {
    output.push(chunk);
  }
  return Buffer.concat(output).toString();
}

describe.each([
  ["node", throughNode],
  ["web", throughWeb],
] as const)("a %s stream", (_, through) => {
  it.each([
    ["nothing", [], ""],
    ["a value", [`say ${SECRET}!`], `say ${P}!`],
    ["a value in pieces", ["say correct-h", "örse-", "battery\r", "\n"], `say ${P}\r\n`],
    ["a character that is cut", [...Buffer.from(`<${SECRET}>é`)].map((byte) => Buffer.of(byte)), `<${P}>é`],
    ["a value with colours", ["a correct-\u001b[3", "1mhörse\u001b[0m-battery\u001b[0m b"], `a ${P}\u001b[0m b`],
    ["a value that the end cuts off", ["say correct-hö"], `say ${P}`],
    ["the head of one that goes on differently", ["correct-", "house"], "correct-house"],
  ])("%s", async (_name, chunks: readonly (string | Uint8Array)[], masked) => {
    expect(await through(chunks)).toBe(masked);
  });
});

it("a Node stream gives out at once what no value begins with", async () => {
  const transform = new Transform(createMaskTransformOptions(createMasker([SECRET])));
  transform.write("Continue? [y/N] ");
  const [chunk] = (await once(transform, "data")) as [Buffer];
  expect(chunk.toString()).toBe("Continue? [y/N] ");
});
