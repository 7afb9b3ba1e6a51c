import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import { defineAction, TaskError, z } from "@autokestra/plugin-sdk";
import { AutokestraError, type SecretSource } from "@autokestra/secrets-core";
import { listen } from "@autokestra/test-kit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseWorkflow, runWorkflow, WorkflowError } from "../../src/index.ts";
import { tryRun } from "./try-run.ts";

/** A token, the name of a host, a number, and an object with a key of its own; new in each run of this test. */
const T = `Cn4ry-${randomBytes(18).toString("base64url")}Q9`;

const N = 471_147_114_711;
const H = `Tenant-${randomBytes(6).toString("hex")}-ZQx7`;
const ODD = `Cn4ry "${randomBytes(9).toString("base64url")}" & <ü> \\ / ${randomBytes(9).toString("base64url")}\r\nX: 1`;
const secrets = {
  T: { type: "apiKey", fields: { value: T } },
  N: { type: "custom", fields: { value: N } },
  ODD: { type: "apiKey", fields: { value: ODD } },
  H: { type: "apiKey", fields: { value: H } },
  O: { type: "custom", fields: { user: T, other: ODD } },
} as const;

/** No nine characters of a canary may be in an output, in whatever case. */
const PIECES = [T, H, ODD].flatMap((canary) =>
  Array.from({ length: canary.length - 8 }, (_, at) => canary.slice(at, at + 9).toLowerCase()),
);

function hits(out: string): string[] {
  const text = out.toLowerCase();
  return [...PIECES, String(N)].filter(
    (piece) => text.includes(piece) || text.includes(JSON.stringify(piece).slice(1, -1)),
  );
}

let server: Server;
let place: string;
beforeAll(async () => {
  server = createServer((request, response) => {
    const [, how = ""] = (request.url ?? "").split("/");
    response.setHeader("x-echo", T);
    if (how === "reset") request.socket.destroy();
    if (how === "slow" || how === "reset") return;
    if (how === "elsewhere") response.writeHead(302, { location: `http://127.0.0.1:1/${T}?k=${T}` });
    if (how === "nowhere") response.writeHead(302, { location: `http://${T}:bad/` });
    if (how === "loop") response.writeHead(302, { location: `/loop/${T}?n=${Math.random()}` });
    if (how === "notfound") response.writeHead(404, { "content-type": "text/plain" });
    if (how === "broken") response.writeHead(500, { "content-type": "application/json" });
    if (how === "json") response.writeHead(200, { "content-type": "application/json" });
    if (how === "gzip") response.writeHead(200, { "content-encoding": "gzip" });
    if (how === "charset") response.writeHead(200, { "content-type": `text/plain; charset=${T}` });
    response.end(`${request.url} ${JSON.stringify(request.headers)} ${T} ${"x".repeat(300)}`);
  });
  place = await listen(server);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const anything = z.record(z.string(), z.unknown());
const fails = (fail: (text: string) => unknown) =>
  defineAction({ input: z.object({ text: z.string() }), run: async ({ text }) => await fail(text) });
const throws = (make: (text: string) => unknown) =>
  fails((text) => {
    throw make(text);
  });

const actions = {
  error: throws((text) => new Error(`no ${text}`)),
  name: throws((text) => Object.assign(new Error("no"), { name: text, code: text })),
  cause: throws((text) => new Error("no", { cause: new Error(text) })),
  aggregate: throws((text) => new AggregateError([new Error(text)], text)),
  text: throws((text) => text),
  object: throws((text) => ({ message: text, toString: () => text })),
  symbol: throws((text) => Symbol(text)),
  list: throws((text) => [text]),
  task: throws((text) => new TaskError({ message: `no ${text}`, code: text, status: 401 })),
  own: throws((text) => new AutokestraError("VALUE_INVALID", `no ${text}`, { hint: text })),
  stack: throws((text) => Object.assign(new Error("no"), { stack: text })),
  rejects: fails(async (text) => await Promise.reject(new RangeError(text))),
  json: fails((text) => JSON.parse(text)),
  url: fails((text) => new URL(text)),
  regexp: fails((text) => new RegExp(`(${text}`)),
  header: fails((text) => new Headers({ [text]: "x" })),
  fetch: fails(async (text) => await fetch(`http://127.0.0.1:1/${encodeURI(text)}`)),
  number: defineAction({ input: z.strictObject({ text: z.number() }), run: () => null }),
  choice: defineAction({ input: z.strictObject({ text: z.enum(["a", "b"]) }), run: () => null }),
  email: defineAction({ input: z.strictObject({ text: z.email() }), run: () => null }),
  short: defineAction({ input: z.strictObject({ text: z.string().max(3) }), run: () => null }),
  said: defineAction({
    input: z.strictObject({ text: z.string().refine(() => false, { error: ({ input }) => `not ${String(input)}` }) }),
    run: () => null,
  }),
  logged: fails(async (text) => await Promise.reject(Object.assign(new Error("no"), { text }))),
  transform: defineAction({
    input: z.strictObject({ text: z.string().transform((text) => JSON.parse(text)) }),
    run: () => null,
  }),
  keys: defineAction({ input: z.strictObject({ o: z.strictObject({}) }), run: () => null }),
  output: defineAction({ input: anything, output: z.strictObject({ n: z.number() }), run: (given) => given as never }),
  echo: defineAction({ input: anything, run: (given) => ({ ...given, [String(given["text"])]: given }) }),
};

/** Every key of a request that can hold a value. */
const full = (more: object) => ({
  query: { q: "{{ secrets.T }}", n: "{{ secrets.N }}" },
  headers: { "X-Key": "{{ secrets.T }}" },
  auth: { bearer: "{{ secrets.T }}" },
  ...more,
});

const HTTP: readonly (readonly [string, (place: string) => object])[] = [
  ["no URL", () => ({ url: "{{ secrets.T }}" })],
  ["a URL of another scheme", () => ({ url: "{{ secrets.T }}://x" })],
  ["a URL with credentials", (at) => ({ url: `${at.replace("//", "//u:{{ secrets.T }}@")}/` })],
  ["a bad port", () => ({ url: "http://127.0.0.1:{{ secrets.T }}/" })],
  ["a bad host", () => ({ url: "http://{{ secrets.ODD }}/" })],
  ["a host that is not there", () => full({ url: "http://{{ secrets.H }}.invalid/{{ secrets.T }}" })],
  ["a host that is not there, beside others", () => full({ url: "http://www.{{ secrets.H }}.invalid:8080/" })],
  ["a host that is a secret as a whole", () => ({ url: "http://{{ secrets.H }}/" })],
  ["a closed port", () => full({ url: "http://127.0.0.1:1/{{ secrets.T }}#{{ secrets.T }}" })],
  ["a reset", (at) => full({ url: `${at}/reset/{{ secrets.T }}` })],
  ["a timeout", (at) => full({ url: `${at}/slow/{{ secrets.T }}`, timeoutSeconds: 0.05 })],
  ["a redirect elsewhere", (at) => full({ url: `${at}/elsewhere/{{ secrets.T }}`, followRedirects: "always" })],
  ["a redirect that is followed within", (at) => full({ url: `${at}/elsewhere/{{ secrets.T }}` })],
  ["a redirect to nowhere", (at) => full({ url: `${at}/nowhere/{{ secrets.T }}` })],
  ["redirects without end", (at) => full({ url: `${at}/loop/{{ secrets.T }}` })],
  ["404", (at) => full({ url: `${at}/notfound/{{ secrets.T }}` })],
  ["500", (at) => full({ url: `${at}/broken/{{ secrets.T }}`, method: "POST", body: { k: "{{ secrets.O }}" } })],
  ["a body that is no JSON", (at) => full({ url: `${at}/json/{{ secrets.T }}` })],
  ["a body that is no gzip", (at) => full({ url: `${at}/gzip/{{ secrets.T }}` })],
  ["a character set that nobody knows", (at) => full({ url: `${at}/charset/{{ secrets.T }}`, maxResponseBytes: 10 })],
  ["a body that is too large", (at) => full({ url: `${at}/large/{{ secrets.T }}`, maxResponseBytes: 10 })],
  ["a header with a line break", (at) => ({ url: at, headers: { "X-Key": "{{ secrets.ODD }}" } })],
  ["headers that are an object", (at) => ({ url: at, headers: "{{ tasks.first.output }}" })],
  ["headers of a secret", (at) => ({ url: at, headers: { "X-Key": "{{ secrets.O }}" } })],
  ["a method", (at) => ({ url: at, method: "{{ secrets.T }}" })],
  ["a timeout that is no number", (at) => ({ url: at, timeoutSeconds: "{{ secrets.T }}" })],
  ["a number that is too large", (at) => ({ url: at, timeoutSeconds: "{{ secrets.N }}" })],
  ["a format", (at) => ({ url: at, response: "{{ secrets.T }}" })],
  ["a policy of redirects", (at) => ({ url: at, followRedirects: "{{ secrets.T }}" })],
  ["a query that is none", (at) => ({ url: at, query: "{{ secrets.T }}" })],
  ["an auth that is none", (at) => ({ url: at, auth: "{{ secrets.O }}" })],
  [
    "a user name with a colon",
    (at) => ({ url: at, auth: { basic: { username: "a:{{ secrets.T }}", password: "x" } } }),
  ],
  ["a token with spaces", (at) => ({ url: at, auth: { bearer: "{{ secrets.ODD }}" } })],
  ["both kinds of auth", (at) => ({ ...full({ url: at }), headers: { Authorization: "{{ secrets.T }}" } })],
  ["a key that is not known", (at) => ({ url: at, hedaers: "{{ secrets.T }}" })],
];

const PLUGIN: readonly (readonly [string, object])[] = [
  ...Object.keys(actions)
    .filter((name) => !["keys", "echo", "header"].includes(name))
    .map((name) => [name, { text: "{{ secrets.T }} {{ secrets.ODD }}" }] as const),
  ["header", { text: "{{ secrets.ODD }}" }],
  ["json", { text: "{{ secrets.T }}" }],
  ["keys", { o: "{{ tasks.first.output }}" }],
  ["keys", { o: "{{ secrets.O }}" }],
  ["echo", { a: "{{ tasks.first.output.nothing }}" }],
  ["echo", { a: "{{ tasks.first.output.text.deeper }}" }],
];

const first = '  - { id: first, type: test/do.echo, inputs: { text: "{{ secrets.T }}" } }';

async function outOf(task: object): Promise<{ failed: boolean; out: string }> {
  const retry = { max: 1, backoffSeconds: 0 };
  const tasks = `${first}\n  - ${JSON.stringify({ id: "a", needs: ["first"], retry, ...task })}`;
  // Those that are not used could not get out, and every run makes a masker of the others.
  const used = Object.entries(secrets).filter(([name]) => tasks.includes(`secrets.${name} }}`));
  const { finished, out } = await tryRun(tasks, { secrets: Object.fromEntries(used), actions });
  // The output of `first` has the canaries for keys and values.
  return { failed: finished.tasks["a"]?.status === "failed", out };
}

describe("KM4, KM5: error paths with a canary in every input", () => {
  it.each(HTTP)("core/http: %s", async (_, inputs) => {
    const { out } = await outOf({ type: "core/http.request", inputs: inputs(place) });
    expect(hits(out)).toEqual([]);
  });

  it.each([
    { message: "x", level: "{{ secrets.T }}" },
    { message: "{{ secrets.O }}", levle: "{{ secrets.T }}" },
    { message: { m: "{{ secrets.T }}", n: "{{ secrets.N }}" }, level: 7 },
    { massage: "{{ secrets.ODD }}" },
  ])("core/console.log: %j", async (inputs) => {
    const { failed, out } = await outOf({ type: "core/console.log", inputs });
    expect([failed, hits(out)]).toEqual([true, []]);
  });

  it.each(PLUGIN)("a plugin that fails: %s %j", async (action, inputs) => {
    const { failed, out } = await outOf({ type: `test/do.${action}`, inputs });
    expect([failed, hits(out)]).toEqual([true, []]);
  });

  it.each(["task", "error", "text", "json"])("a plugin that fails, with secretOutputs: %s", async (action) => {
    const { failed, out } = await outOf({
      type: `test/do.${action}`,
      inputs: { text: "{{ secrets.T }}" },
      secretOutputs: ["x"],
    });
    expect([failed, hits(out)]).toEqual([true, []]);
  });
});

describe("KM4: errors before the first task", () => {
  const failing = async (options: {
    head?: string;
    source?: SecretSource;
    inputs?: Record<string, string>;
    text?: string;
  }) => {
    const { head = "secrets: [T]", text = "x", inputs = {} } = options;
    const source: SecretSource = options.source ?? {
      id: "test",
      lookup: async () => ({ status: "found", secret: { type: "custom", fields: { a: T, b: ODD }, expiresAt: null } }),
    };
    const run = async () => {
      const tasks = `tasks: [{ id: a, type: core/console.log, inputs: { message: "${text}" } }]`;
      const parsed = parseWorkflow(`apiVersion: v1\nid: w\n${head}\n${tasks}`, "w.yaml");
      await runWorkflow(parsed, { sources: [source], inputs, sink: () => undefined });
    };
    const error: unknown = await run().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    const hint = error instanceof AutokestraError ? error.hint : "";
    const frames = error instanceof WorkflowError ? error.format() : "";
    return [error instanceof Error ? error.stack : "", hint, frames].join("\n");
  };

  it.each<[string, Parameters<typeof failing>[0]]>([
    ["a whole object in a text", { text: "a {{ secrets.T }}" }],
    ["a field that is not there", { text: "{{ secrets.T.token }}" }],
    ["an input of another type", { head: "inputs: { n: { type: number } }", inputs: { n: T } }],
    ["an input that is no JSON", { head: "inputs: { n: { type: json } }", inputs: { n: `{${T}` } }],
    ["a secret input of another type", { head: "inputs: { n: { type: number, secret: true } }", inputs: { n: T } }],
    [
      "a source that throws",
      {
        source: { id: "vault", lookup: async () => await Promise.reject(new AutokestraError("SOURCE_FAILED", "down")) },
      },
    ],
  ])("%s", async (_, options) => {
    const text = await failing(options);
    expect(text).not.toBe("\n\n");
    expect(hits(text)).toEqual([]);
  });
});
