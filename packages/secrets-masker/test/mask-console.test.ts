import globalConsole, { Console } from "node:console";
import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { maskConsole } from "../src/adapters/mask-console.ts";
import { createMasker } from "../src/index.ts";

const P = "***SECRET***";
const SECRET = 'correct "horse" battery';
const masker = createMasker([SECRET]);

class Memory extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A real console of Node that prints into memory. */
function memoryConsole(): { console: Console; out: Memory; err: Memory } {
  const [out, err] = [new Memory(), new Memory()];
  return { console: new Console({ stdout: out, stderr: err }), out, err };
}

it.each<[string, "out" | "err", (console: Console) => void, string]>([
  ["log", "out", (console) => console.log("a", SECRET, "b"), `a ${P} b\n`],
  ["a format", "out", (console) => console.log("%s-%s!", "a", SECRET), `a-${P}!\n`],
  ["a value in pieces", "out", (console) => console.log("%s%s", 'correct "hor', 'se" battery'), `${P}\n`],
  ["%j", "out", (console) => console.log("%j", { a: SECRET }), `{"a":"${P}"}\n`],
  ["an object", "out", (console) => console.log({ a: [SECRET] }), `{ a: [ '${P}' ] }\n`],
  ["a Buffer", "out", (console) => console.log(Buffer.from(SECRET)), `<Buffer ${P}>\n`],
  ["info", "out", (console) => console.info(SECRET), `${P}\n`],
  ["debug", "out", (console) => console.debug(SECRET), `${P}\n`],
  ["warn", "err", (console) => console.warn(SECRET), `${P}\n`],
  ["error", "err", (console) => console.error("%s", SECRET), `${P}\n`],
  ["assert", "err", (console) => console.assert(false, SECRET), `Assertion failed: ${P}\n`],
  ["dir", "out", (console) => console.dir({ a: { b: { c: { d: SECRET } } } }, { depth: null }), P],
  ["dirxml", "out", (console) => console.dirxml(SECRET), `${P}\n`],
  ["group", "out", (console) => console.group(SECRET), `${P}\n`],
  ["count", "out", (console) => console.count(SECRET), `${P}: 1\n`],
  ["time", "out", (console) => [console.time(SECRET), console.timeLog(SECRET, SECRET)], `${P}: `],
  ["table", "out", (console) => console.table([{ a: SECRET }]), P],
  ["trace", "err", (console) => console.trace(SECRET), `Trace: ${P}\n`],
  ["an Error", "err", (console) => console.error(new Error(SECRET)), `Error: ${P}\n`],
])("what a console prints is masked: %s", (_, stream, print, expected) => {
  const { console, ...streams } = memoryConsole();
  maskConsole(console, masker);
  print(console);
  expect(streams[stream].text).toContain(expected);
  expect(streams.out.text + streams.err.text).not.toContain("horse");
});

it("restores", () => {
  const { console, out } = memoryConsole();
  const restore = maskConsole(console, masker);
  console.log(SECRET);
  restore();
  console.log(SECRET);
  expect(out.text).toBe(`${P}\n${SECRET}\n`);
});

it("can be done twice, and taken back in turn", () => {
  const { console, out } = memoryConsole();
  const restores = [maskConsole(console, masker), maskConsole(console, createMasker(["second-value"]))];
  console.log(SECRET, "second-value");
  for (const restore of restores.toReversed()) restore();
  console.log(SECRET, "second-value");
  expect(out.text).toBe(`${P} ${P}\n${SECRET} second-value\n`);
});

it("leaves colours and width to the stream behind", () => {
  const out = Object.assign(new Memory(), { isTTY: true, columns: 20, getColorDepth: () => 8 });
  const console = new Console({ stdout: out, stderr: out, colorMode: "auto" });
  maskConsole(console, masker);
  console.log({ a: SECRET, n: 1 });
  expect(out.text).toContain(`\u001b[32m'${P}'\u001b[39m`);
});

it("an error of the stream behind comes to its listeners, not to the caller", async () => {
  const failing = new Writable({ write: (_chunk, _encoding, done) => done(new Error("full")) });
  const seen = new Promise((resolve) => failing.on("error", resolve));
  const console = new Console({ stdout: failing, stderr: failing });
  maskConsole(console, masker);
  console.log(SECRET);
  await expect(seen).resolves.toEqual(new Error("full"));
});

it("masks the global console, whose streams are opened when they are needed", () => {
  const out = new Memory();
  const before: unknown = Reflect.get(globalConsole, "_stdout");
  Reflect.set(globalConsole, "_stdout", out);
  const restore = maskConsole(globalConsole, masker);
  globalConsole.log("global", SECRET);
  restore();
  Reflect.set(globalConsole, "_stdout", before);
  expect(out.text).toBe(`global ${P}\n`);
});

it.each([[{}], [{ log: () => undefined }], [{ _stdout: {}, _stderr: {} }]])(
  "refuses what is no console of Node: %j",
  (target) => {
    expect(() => maskConsole(target, masker)).toThrow(TypeError);
  },
);
