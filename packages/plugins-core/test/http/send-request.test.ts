import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { HttpResponse } from "../../src/http/response.ts";
import { getAction, requestAction } from "./actions.ts";
import { startServer } from "./test-server.ts";

async function request(input: object): Promise<HttpResponse> {
  return (await runAction(requestAction, input)).output;
}

it("sends what the workflow gives and returns what the server answers", async () => {
  const { origin, received } = await startServer((response) => {
    response.writeHead(201, { "Content-Type": "application/json", "X-Many": ["a", "b"], "Set-Cookie": "k=1, 2" });
    response.end('{"id":7}');
  });
  const output = await request({
    method: "POST",
    url: `${origin}/items?x=1`,
    query: { y: 2 },
    headers: { "X-Trace": "t" },
    auth: { bearer: "token" },
    body: { name: "n" },
  });
  expect(received).toMatchObject([
    {
      method: "POST",
      url: "/items?x=1&y=2",
      headers: {
        accept: "*/*",
        "accept-encoding": "gzip, br",
        authorization: "Bearer token",
        "content-type": "application/json",
        "user-agent": "autokestra",
        "x-trace": "t",
      },
      body: '{"name":"n"}',
    },
  ]);
  expect(output).toEqual({
    status: 201,
    ok: true,
    headers: expect.objectContaining({
      "content-type": "application/json",
      "x-many": "a, b",
      "set-cookie": ["k=1, 2"],
    }),
    body: { id: 7 },
    url: `${origin}/items?x=1&y=2`,
    durationMs: expect.any(Number),
  });
});

it("core/http.get sends GET without a body", async () => {
  const { origin, received } = await startServer((response) => response.end());
  const { output } = await runAction(getAction, { url: origin, headers: { "User-Agent": "mine" } });
  expect(output.status).toBe(200);
  expect(received).toMatchObject([{ method: "GET", url: "/", body: "", headers: { "user-agent": "mine" } }]);
});

it.each([
  [204, true, {}],
  [304, false, {}],
  [404, false, { allowStatus: [409, 404] }],
  [404, false, { failOnStatus: false }],
  [500, false, { failOnStatus: false }],
  [302, false, { followRedirects: "never" }],
])("KP1: gives status %i as a result (ok: %s) with %j", async (status, ok, input) => {
  const { origin } = await startServer((response) => response.writeHead(status).end());
  expect(await request({ url: origin, ...input })).toMatchObject({ status, ok, body: "" });
});

it.each(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])("sends %s", async (method) => {
  const { origin, received } = await startServer((response) => response.end());
  await request({ url: origin, method });
  expect(received[0]?.method).toBe(method);
});

it.each([
  ["gzip", gzipSync("text")],
  ["x-gzip", gzipSync("text")],
  ["GZIP", gzipSync("text")],
  ["deflate", deflateSync("text")],
  ["br", brotliCompressSync("text")],
  ["identity", Buffer.from("text")],
])("undoes %s", async (encoding, bytes) => {
  const { origin } = await startServer((response) => response.setHeader("content-encoding", encoding).end(bytes));
  expect((await request({ url: origin, response: "text" })).body).toBe("text");
});

it("takes an empty body for empty, whatever its encoding", async () => {
  const { origin } = await startServer((response) => response.setHeader("content-encoding", "gzip").end());
  expect((await request({ url: origin, response: "text" })).body).toBe("");
  expect((await request({ url: origin, method: "HEAD", response: "json" })).body).toBeNull();
});

it("leaves no connection open", async () => {
  const { origin, sockets } = await startServer((response) => response.end("done"));
  await request({ url: origin });
  await expect.poll(() => sockets.size).toBe(0);
});

it("does not use a proxy of the environment", async () => {
  const proxy = await startServer((response) => response.end("proxy"));
  const { origin } = await startServer((response) => response.end("server"));
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY"]) vi.stubEnv(name, proxy.origin);
  expect((await request({ url: origin, response: "text" })).body).toBe("server");
  expect(proxy.received).toEqual([]);
});

describe("redirects", () => {
  const CANARY = "canary-4711";
  const secrets = [
    ["a header", { headers: { "X-Api-Key": CANARY } }],
    ["a cookie", { headers: { Cookie: `session=${CANARY}` } }],
    ["basic auth", { auth: { basic: { username: CANARY, password: CANARY } } }],
    ["a bearer token", { auth: { bearer: CANARY } }],
    ["the body", { body: CANARY }],
    ["the query", { query: { key: CANARY } }],
  ] as const;
  const encoded = Buffer.from(`${CANARY}:${CANARY}`).toString("base64");
  const table = [301, 302, 303, 307, 308].flatMap((status) =>
    secrets.map(([what, input]) => [status, what, input] as const),
  );

  it.each(table)("KP14: %i: %s does not reach another origin", async (status, _, input) => {
    const other = await startServer((response) => response.end("other"));
    const first = await startServer((response) => response.writeHead(status, { location: `${other.origin}/x` }).end());
    const post = { method: "POST", url: first.origin, ...input };

    await expect(request(post)).rejects.toMatchObject({
      message: `POST ${first.origin} failed after status ${status}: it redirects to another origin, ${other.origin}; \`followRedirects: always\` goes there without headers and body`,
      code: "HTTP_REDIRECT",
      retryable: false,
      status,
    });
    expect(await request({ ...post, followRedirects: "never" })).toMatchObject({ status });
    expect(other.received).toEqual([]);

    const followed = await request({ ...post, followRedirects: "always" });
    expect(followed).toMatchObject({ status: 200, url: `${other.origin}/x` });
    expect(other.received).toHaveLength(1);
    const seen = JSON.stringify(other.received);
    expect([CANARY, encoded].filter((secret) => seen.includes(secret))).toEqual([]);
    expect(JSON.stringify(first.received)).toMatch(new RegExp(`${CANARY}|${encoded}`));
  });

  it("takes everything along within the origin", async () => {
    const { origin, received } = await startServer((response, { url }) => {
      if (url === "/") response.writeHead(307, { location: "/next" });
      response.end();
    });
    await request({ method: "POST", url: origin, auth: { bearer: "T" }, body: { a: 1 } });
    expect(received[1]).toMatchObject({
      method: "POST",
      url: "/next",
      headers: { authorization: "Bearer T", "content-type": "application/json" },
      body: '{"a":1}',
    });
  });

  it("gives nothing back to the first origin after another one", async () => {
    const other = await startServer((response) => response.writeHead(307, { location: `${first.origin}/back` }).end());
    const first = await startServer((response, { url }) => {
      if (url === "/") response.writeHead(307, { location: other.origin });
      response.end();
    });
    const secret = { headers: { "X-Api-Key": CANARY }, auth: { bearer: CANARY }, body: CANARY };
    const output = await request({ method: "POST", url: first.origin, followRedirects: "always", ...secret });
    expect(output.url).toBe(`${first.origin}/back`);
    expect(JSON.stringify([other.received, first.received[1]])).not.toContain(CANARY);
  });

  it("follows none with never", async () => {
    const { origin, received } = await startServer((response) => response.writeHead(302, { location: "/next" }).end());
    expect((await request({ url: origin, followRedirects: "never" })).status).toBe(302);
    expect(received).toHaveLength(1);
  });

  it("follows ten", async () => {
    const { origin, received } = await startServer((response, { url }) => {
      const count = Number(url?.slice(1));
      if (count < 10) response.writeHead(302, { location: `/${count + 1}` });
      response.end("x".repeat(100_000));
    });
    expect((await request({ url: `${origin}/0` })).url).toBe(`${origin}/10`);
    expect(received).toHaveLength(11);
  });
});
