import { beforeEach, expect, it, vi } from "vitest";
import { type ActionContext, defineAction, z } from "../../src/index.ts";
import { expectNoLeak, LeakError } from "../../src/testing/index.ts";

const TOKEN = "tok-4711-abcdef/ü&x";
const input = z.strictObject({ token: z.string() });

// What is planted there need not be printed.
beforeEach(() => {
  vi.spyOn(console, "log").mockReturnValue(undefined);
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});

type Run = (given: { token: string }, context: ActionContext) => unknown;

const forms: readonly (readonly [form: string, write: (token: string) => string])[] = [
  ["value", (token) => token],
  ["base64", (token) => Buffer.from(token).toString("base64")],
  ["hex", (token) => Buffer.from(token).toString("hex")],
  ["percent-encoded", encodeURIComponent],
  ["JSON in JSON", (token) => JSON.stringify(JSON.stringify({ token }))],
  ["Basic credentials", (token) => `Basic ${Buffer.from(`ada:${token}`).toString("base64")}`],
];

const places: readonly (readonly [place: string, leak: (text: string, context: ActionContext) => unknown])[] = [
  ["output", (text) => text],
  ["output.a.0.b", (text) => ({ a: [{ b: text }] })],
  ["a key of output", (text) => ({ [text]: 1 })],
  ["log line 1", (text, { log }) => log.info(`got ${text}`)],
  ["log line 1", (text, { log }) => log.debug("got", { deep: [new Map([["k", text]])] })],
  ["error", (text) => Promise.reject(new Error(text))],
  ["error", (text) => Promise.reject(new Error("failed", { cause: new Error(text) }))],
  ["print stderr", (text, { print }) => print("stderr", Buffer.from(text))],
  ["stdout", (text) => console.log(text)],
  ["stderr", (text) => void process.stderr.write(`${text}\n`)],
];

const planted = places.flatMap(([place, leak]) => forms.map(([form, write]) => [place, form, leak, write] as const));

it.each(planted)(
  "finds a leak that is planted in %s as %s, and does not quote it",
  async (place, _form, leak, write) => {
    const action = defineAction({ input, run: ({ token }, context) => leak(write(token), context) });
    const error = await expectNoLeak(action, { token: TOKEN }, { TOKEN }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LeakError);
    expect(error).toMatchObject({ leaks: [{ secret: "TOKEN", place }] });
    expect(JSON.stringify(error) + String(error)).not.toContain("4711");
  },
);

const quiet: readonly (readonly [string, Run])[] = [
  ["nothing", () => undefined],
  ["something else", (_given, { log }) => log.info("done")],
  ["another error", () => Promise.reject(new Error("denied"))],
  ["the length", ({ token }) => ({ length: token.length })],
];

it.each(quiet)("passes an action that shows %s", async (_what, run) => {
  await expectNoLeak(defineAction({ input, run }), { token: TOKEN }, { TOKEN });
});

it("allows what the action declares as secret, and nothing beside it", async () => {
  const run: Run = ({ token }) => ({ session: { token }, items: [{ key: token }] });
  const declared = defineAction({ input, run, secretOutputs: ["session.token", "items.*.key"] });
  expect(await expectNoLeak(declared, { token: TOKEN }, { TOKEN })).toMatchObject({
    output: { session: { token: TOKEN } },
  });
  const half = defineAction({ input, run, secretOutputs: ["session.token"] });
  await expect(expectNoLeak(half, { token: TOKEN }, { TOKEN })).rejects.toThrow("TOKEN in output.items.0.key (value)");
  const output = z.object({ token: z.string().meta({ secret: true }) });
  const marked = defineAction({ input, output, run: ({ token }) => ({ token }) });
  const { output: shown } = await expectNoLeak(marked, { token: TOKEN }, { TOKEN });
  expect(shown?.token satisfies string | undefined).toBe(TOKEN);
});

it.each([[{}], [{ TOKEN: "" }], [{ TOKEN: "abc" }]])(
  "does not pass for secrets that cannot be found: %o",
  async (secrets) => {
    await expect(expectNoLeak(defineAction({ input: z.unknown(), run: () => 1 }), {}, secrets)).rejects.toThrow(
      TypeError,
    );
  },
);
