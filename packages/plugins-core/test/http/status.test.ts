import { TaskError } from "@autokestra/plugin-sdk";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { describe, expect, it } from "vitest";
import { getAction, requestAction } from "./actions.ts";
import { startRawServer, startServer } from "./test-server.ts";

async function failWith(input: object): Promise<TaskError> {
  const error: unknown = await runAction(requestAction, input).catch((reason: unknown) => reason);
  if (!(error instanceof TaskError)) throw error;
  return error;
}

async function serve(
  status: number,
  headers: Record<string, string> = {},
  body: string | Buffer = "",
): Promise<string> {
  return (await startServer((response) => response.writeHead(status, headers).end(body))).origin;
}

it.each([
  [400, false],
  [401, false],
  [403, false],
  [404, false],
  [408, true],
  [409, false],
  [421, false],
  [425, true],
  [429, true],
  [499, false],
  [500, true],
  [501, false],
  [502, true],
  [503, true],
  [504, true],
  [505, false],
  [599, true],
])("KP1: status %i fails the task; another attempt: %s", async (status, retryable) => {
  const url = await serve(status);
  expect(await failWith({ url })).toMatchObject({
    code: "HTTP_STATUS",
    status,
    retryable,
    retryAfterSeconds: undefined,
  });
  await expect(runAction(getAction, { url })).rejects.toMatchObject({ status });
  expect((await runAction(getAction, { url, allowStatus: [status] })).output).toMatchObject({ status, ok: false });
  expect((await failWith({ url, allowStatus: [status === 400 ? 401 : 400] })).status).toBe(status);
});

describe("KP1: the message", () => {
  const JSON_TYPE = { "content-type": "application/json" };
  it.each<[string, Record<string, string>, string | Buffer, string]>([
    ["no body", {}, "", ""],
    ["text", { "content-type": "text/plain" }, "bad key\n", ": bad key"],
    ["JSON as it stands", JSON_TYPE, '{ "error": "bad key" }', ': { "error": "bad key" }'],
    ["broken JSON", JSON_TYPE, '{"error', ': {"error'],
    ["a long text", { "content-type": "text/html" }, "x".repeat(300), `: ${"x".repeat(200)}…`],
    ["text of no type", {}, "bad key", ": bad key"],
    ["bytes", { "content-type": "image/png" }, "PNG", ""],
    ["text that is none", { "content-type": "text/plain" }, Buffer.of(0xff), ""],
    ["damaged gzip", { "content-type": "text/plain", "content-encoding": "gzip" }, "zip", ""],
    ["an unknown encoding", { "content-type": "text/plain", "content-encoding": "x" }, "zip", ""],
  ])("tells status, reason and %s", async (_, headers, body, told) => {
    const url = await serve(401, headers, body);
    for (const response of ["auto", "json", "base64"]) {
      const { message } = await failWith({ url: `${url}/p?q`, method: "POST", response });
      expect(message).toBe(`POST ${url} failed: status 401 Unauthorized${told}`);
    }
  });

  it("tells the reason of the server, or that of the standard, or none", async () => {
    const own = await startRawServer("HTTP/1.1 401 Bad key\r\nContent-Length: 0\r\n\r\n");
    expect((await failWith({ url: own })).message).toBe(`GET ${own} failed: status 401 Bad key`);
    const none = await startRawServer("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n");
    expect((await failWith({ url: none })).message).toBe(`GET ${none} failed: status 404 Not Found`);
    const unknown = await startRawServer("HTTP/1.1 499 \r\nContent-Length: 0\r\n\r\n");
    expect((await failWith({ url: unknown })).message).toBe(`GET ${unknown} failed: status 499`);
  });

  it("does without a body that is cut, larger than the limit or never ends", async () => {
    const cut = await startRawServer("HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\nx");
    expect((await failWith({ url: cut })).message).toBe(`GET ${cut} failed: status 503 Busy`);
    const large = await serve(503, {}, "12345");
    expect((await failWith({ url: large, maxResponseBytes: 4 })).message).toMatch(/status 503 Service Unavailable$/);
    const { origin } = await startServer((response) => response.writeHead(503).write("x"));
    expect((await failWith({ url: origin, timeoutSeconds: 1 })).message).toMatch(/status 503 Service Unavailable$/);
  });

  it("KM1: holds no piece of what was sent where it is cut", async () => {
    const secret = "T0KEN aaaa/9876+Zz";
    const places: object[] = [
      { headers: { "X-Key": secret } },
      { auth: { basic: { username: "u", password: secret } } },
      { query: { k: secret } },
      { body: { k: secret } },
      { body: `{"quoted":"\\"${secret}"}`, headers: { "Content-Type": "application/json" } },
      { form: { k: secret } },
    ];
    for (let before = 150; before <= 200; before += 1) {
      const { origin } = await startServer((response, { url = "", headers, body }) => {
        const echo = [headers["x-key"], headers.authorization, url, body].filter(Boolean).join("|");
        response
          .writeHead(404)
          .end(`${"-".repeat(before)}${before % 2 ? echo : JSON.stringify(echo)}${"-".repeat(200)}`);
      });
      const { message } = await failWith({ url: origin, method: "POST", ...places[before % places.length] });
      const shown = message.slice(message.indexOf("--"));
      expect(!shown.includes("T0KE") || /T0KE.*Zz/.test(shown), shown).toBe(true);
    }
  });
});

describe("KP1: Retry-After", () => {
  const date = "Sun, 06 Nov 1994 08:49:37 GMT";
  it.each<[string, string, number | undefined]>([
    ["seconds", "120", 120],
    ["nothing to wait for", "0", 0],
    ["a date", "Sun, 06 Nov 1994 08:51:37 GMT", 120],
    ["a date of RFC 850", "Sunday, 06-Nov-94 08:51:37 GMT", 120],
    ["a date of asctime", "Sun Nov  6 08:51:37 1994", 120],
    ["a date that is over", "Sun, 06 Nov 1994 08:00:00 GMT", 0],
    ["a huge number", "9".repeat(400), Number.MAX_SAFE_INTEGER],
    ["a negative number", "-5", undefined],
    ["a fraction", "1.5", undefined],
    ["words", "soon", undefined],
    ["another date", "1994-11-06T08:51:37Z", undefined],
    ["no day", "Sun, 99 Nov 1994 08:51:37 GMT", undefined],
  ])("%s", async (_, value, seconds) => {
    const url = await serve(429, { date, "retry-after": value });
    expect(await failWith({ url })).toMatchObject({ retryable: true, retryAfterSeconds: seconds });
  });

  it("a date counts from our clock where the server tells no time", async () => {
    const then = new Date(Date.now() + 3_600_000).toUTCString();
    const url = await startRawServer(`HTTP/1.1 503 Busy\r\nRetry-After: ${then}\r\nContent-Length: 0\r\n\r\n`);
    const { retryAfterSeconds } = await failWith({ url });
    expect(retryAfterSeconds).toBeGreaterThan(3500);
    expect(retryAfterSeconds).toBeLessThanOrEqual(3600);
  });
});

it.each([
  ["allowStatus", [399], "allowStatus[0]: expected at least 400"],
  ["allowStatus", [600], "allowStatus[0]: expected at most 599"],
  ["allowStatus", 404, "allowStatus: expected array"],
  ["allowStatus", ["404"], "allowStatus[0]: expected number"],
  ["failOnStatus", "no", "failOnStatus: expected boolean"],
])("KP1: refuses %s: %j", async (key, value, problem) => {
  await expect(runAction(requestAction, { url: "http://127.0.0.1:1", [key]: value })).rejects.toThrow(
    `Invalid input: ${problem}`,
  );
});
