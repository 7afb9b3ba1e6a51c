import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { z } from "@autokestra/secrets-core/internal";
import { bundleScript, run } from "@autokestra/test-kit";
import { afterEach, describe, expect, it } from "vitest";
import {
  type CallReport,
  createHttpClient,
  encodePath,
  failureOf,
  type HttpOptions,
  type HttpRequest,
  type HttpResponse,
  readJson,
} from "../src/index.ts";
import { type SoundAnswer, startFaultServer, startTestServer, type TestServer } from "../src/testing/index.ts";
import { soon } from "./soon.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function start(answer: (attempt: number) => SoundAnswer): Promise<TestServer> {
  let attempts = 0;
  const server = await startTestServer(() => answer(attempts++));
  cleanups.push(async () => await server.close());
  return server;
}

function clientOf(address: string, options: Partial<HttpOptions> = {}) {
  const calls: CallReport[] = [];
  const client = createHttpClient({
    address,
    provider: "p",
    env: {},
    random: () => 0,
    onCall: (call) => calls.push(call),
    ...options,
  });
  cleanups.push(async () => await client.close());
  const send = async (request: Partial<HttpRequest> = {}, ms?: number) =>
    await client.send({ call: "read", path: "/v1/a", ...request }, soon(ms));
  return { send, calls };
}

describe("requests", () => {
  it("sends method, path, query, headers and JSON, and gives the response", async () => {
    const server = await start(() => ({ status: 404, headers: { "x-a": "b" }, body: { no: 1 } }));
    const { send, calls } = clientOf(`${server.address}/api/`);
    const query = new URLSearchParams({ q: "a b" });
    const response = await send({ json: { a: 1 }, query, headers: { "x-token": "canary" } });
    expect(response).toMatchObject({
      status: 404,
      text: '{"no":1}',
      asked: `POST ${server.address}/api/v1/a`,
      headers: { "x-a": "b" },
    });
    expect(server.requests).toMatchObject([{ method: "POST", path: "/api/v1/a?q=a+b", body: '{"a":1}' }]);
    expect(server.requests[0]?.headers).toMatchObject({ "x-token": "canary", "content-type": "application/json" });
    expect(calls).toMatchObject([{ provider: "p", call: "read", status: "404" }]);
  });

  it("sends a text as it is, by another method", async () => {
    const server = await start(() => ({ body: {} }));
    await clientOf(server.address).send({ method: "PUT", body: "a=b", headers: { "content-type": "text/plain" } });
    expect(server.requests).toMatchObject([{ method: "PUT", body: "a=b", headers: { "content-type": "text/plain" } }]);
  });

  it("V8: encodes what a person writes, and refuses parts that lead elsewhere", async () => {
    const server = await start(() => ({ body: {} }));
    const { send } = clientOf(server.address);
    await send({ path: `/v1/${encodePath("a/b c?x=1#y%2f..;ü")}` });
    expect(server.requests.map(({ path }) => path)).toEqual(["/v1/a/b%20c%3Fx%3D1%23y%252f..%3B%C3%BC"]);
    for (const path of ["..", ".", "a/../b", "a/.."]) {
      expect(await send({ path: `/v1/${encodePath(path)}` })).toMatchObject({ status: "malformed" });
    }
    for (const path of ["/v1/%2e%2E/b", "/v1/.%2e"])
      expect(await send({ path })).toMatchObject({ status: "malformed" });
    expect(server.requests.length).toBe(1);
  });
});

describe("attempts", () => {
  it.each([429, 500, 502, 503, 504])("asks again after %i, three times in all", async (status) => {
    const server = await start((attempt) => ({ status: attempt === 2 ? 200 : status, body: {} }));
    const { send, calls } = clientOf(server.address);
    expect(await send()).toMatchObject({ status: 200 });
    expect(calls.map((call) => call.status)).toEqual([`${status}`, `${status}`, "200"]);
    const endless = await start(() => ({ status, body: {} }));
    expect(await clientOf(endless.address).send()).toMatchObject({ status });
    expect(endless.requests.length).toBe(3);
  });

  it.each([200, 204, 400, 401, 403, 404, 408, 412, 425, 472, 473, 501, 505])(
    "does not ask again after %i",
    async (status) => {
      const server = await start(() => ({ status, body: "" }));
      expect(await clientOf(server.address).send()).toMatchObject({ status });
      expect(server.requests.length).toBe(1);
    },
  );

  it("asks again after what the API calls throttling", async () => {
    const server = await start((attempt) => ({ status: attempt === 0 ? 400 : 200, body: {} }));
    expect(await clientOf(server.address).send({ isThrottled: ({ status }) => status === 400 })).toMatchObject({
      status: 200,
    });
  });

  it("waits for a random time that doubles", async () => {
    const server = await start(() => ({ status: 500, body: {} }));
    const draws: number[] = [];
    const began = performance.now();
    await clientOf(server.address, { random: () => draws.push(1) && 1 }).send();
    expect(draws.length).toBeGreaterThanOrEqual(2);
    expect(performance.now() - began).toBeGreaterThanOrEqual(590);
  });

  it("does not repeat what must not happen twice, unless nothing has happened", async () => {
    const server = await start(() => ({ status: 500, body: {} }));
    await clientOf(server.address).send({ repeatable: false });
    expect(server.requests.length).toBe(1);
    const full = await start((attempt) => ({ status: attempt === 0 ? 429 : 200, body: {} }));
    expect(await clientOf(full.address).send({ repeatable: false })).toMatchObject({ status: 200 });
    const reset = await startFaultServer("reset", () => ({ body: {} }));
    cleanups.push(async () => await reset.close());
    expect(await clientOf(reset.address).send({ repeatable: false })).toMatchObject({ status: "unavailable" });
    expect(reset.requests.length).toBe(1);
  });

  it.each([
    ["seconds", () => "1"],
    ["a date", () => new Date(Date.now() + 1500).toUTCString()],
  ])("honours Retry-After as %s", async (_form, value) => {
    const headers = () => ({ "retry-after": value() });
    const server = await start((attempt) => ({ status: attempt === 0 ? 429 : 200, headers: headers(), body: {} }));
    const began = performance.now();
    expect(await clientOf(server.address).send()).toMatchObject({ status: 200 });
    expect(performance.now() - began).toBeGreaterThan(400);
  });

  it("never waits past the deadline, and ignores a Retry-After that is neither", async () => {
    const server = await start(() => ({ status: 429, headers: { "retry-after": "3600" }, body: {} }));
    expect(await clientOf(server.address).send()).toMatchObject({ status: 429 });
    expect(server.requests.length).toBe(1);
    const odd = await start((attempt) => ({
      status: attempt === 0 ? 503 : 200,
      headers: { "retry-after": "soon" },
      body: {},
    }));
    expect(await clientOf(odd.address).send()).toMatchObject({ status: 200 });
  });
});

describe("answers", () => {
  it.each([
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ])("decompresses %s", async (encoding, compress) => {
    const { send } = clientOf(await rawServer(encoding, compress('{"a":"ä"}')));
    expect(await send()).toMatchObject({ text: '{"a":"ä"}' });
  });

  it.each([
    ["not what it says", "gzip", Buffer.from("no gzip"), "the answer is not valid HTTP"],
    ["not UTF-8", "identity", Buffer.from([0xff, 0xfe, 0x00]), "the answer is not UTF-8 text"],
    ["too large", "identity", Buffer.alloc(4 * 1024 * 1024 + 1, 0x20), "the answer is larger than 4 MiB"],
    ["too large as a whole", "gzip", gzipSync(Buffer.alloc(4 * 1024 * 1024 + 1)), "the answer is larger than 4 MiB"],
  ])("V4: refuses one that is %s", async (_what, encoding, bytes, reason) => {
    const address = await rawServer(encoding, bytes);
    const answer = await clientOf(address).send();
    expect(answer).toMatchObject({ status: "malformed", reason: `GET ${address}/v1/a: ${reason}` });
  });

  it("takes 4 MiB", async () => {
    const { send } = clientOf(await rawServer("identity", Buffer.alloc(4 * 1024 * 1024, 0x20)));
    expect(await send()).toMatchObject({ status: 200 });
  });

  it.each([
    ["speaks no HTTP", "SSH-2.0-x\r\n", "malformed", "the answer is not valid HTTP"],
    [
      "sends endless headers",
      `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n\r\n`,
      "malformed",
      "the answer is not valid HTTP",
    ],
    [
      "ends in the middle",
      "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
      "unavailable",
      "connection closed by the other side",
    ],
  ])("of a server that %s", async (_what, bytes, status, reason) => {
    const { send, calls } = clientOf(await wireServer((socket) => socket.end(bytes)));
    const answer = await send();
    expect(answer).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(calls.length).toBe(status === "unavailable" ? 3 : 1);
  });
});

async function rawServer(encoding: string, bytes: Buffer): Promise<string> {
  const head = `HTTP/1.1 200 OK\r\ncontent-encoding: ${encoding}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return await wireServer((socket) => socket.end(Buffer.concat([Buffer.from(head), bytes])));
}

async function wireServer(talk: (socket: Socket) => void, scheme = "http"): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => talk(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => await new Promise((resolve) => server.close(() => resolve())));
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("failureOf", () => {
  const response = (status: number): HttpResponse => ({
    status,
    headers: {},
    text: "canary",
    asked: "GET https://x/a",
  });

  it.each([
    ["notFound", [404, 410]],
    ["denied", [401, 403, 407]],
    ["unavailable", [408, 412, 425, 429, 472, 473, 500, 501, 503, 599]],
    ["malformed", [100, 204, 304, 400, 405, 409, 422, 451]],
  ] as const)("%s", (status, codes) => {
    expect(codes.map((code) => failureOf(response(code)).status)).toEqual(codes.map(() => status));
  });

  it("says what was asked, what came back, and what to do", () => {
    const about = { code: "PermissionDenied", hint: "Ask for it." };
    expect(failureOf(response(403), about)).toEqual({
      status: "denied",
      reason: "GET https://x/a: 403 PermissionDenied",
      hint: "Ask for it.",
    });
    expect(failureOf(response(404), about)).toEqual({
      status: "notFound",
      reason: "GET https://x/a: 404 PermissionDenied. Ask for it.",
    });
  });
});

describe("readJson", () => {
  const schema = z.object({ a: z.object({ b: z.string() }) });
  const read = (text: string) => readJson({ status: 200, headers: {}, text, asked: "GET https://x" }, schema);

  it("gives what has the promised shape", () =>
    expect(read('{"a":{"b":"c"},"d":1}')).toEqual({ value: { a: { b: "c" } } }));

  it.each([
    ["null", "the answer does not have the promised shape (its top)"],
    ['{"a":{"b":["canary"]}}', "the answer does not have the promised shape (a.b)"],
    ["<html>canary</html>", "the answer is not JSON"],
    ['{"a":{"b":"canary"}', "the answer is not JSON"],
    ['{"a":1,"a":2}', "the answer has a key twice"],
  ])("refuses %s", (text, reason) => {
    expect(read(text)).toMatchObject({ status: "malformed", reason: `GET https://x: ${reason}` });
    expect(JSON.stringify(read(text))).not.toContain("canary");
  });
});

describe("connections", () => {
  it.each([
    ["http://vault.example", "is plain http to another machine"],
    ["http://127.0.0.1.example", "is plain http to another machine"],
    ["http://10.0.0.1:8200", "is plain http to another machine"],
    ["ftp://vault.example", "is neither https nor http"],
    ["https://u:canary@vault.example", "contains a user name or password"],
    ["https://canary@vault.example", "contains a user name or password"],
    ["https://vault.example/?token=canary", "contains a query or a fragment"],
    ["canary", "is not a URL"],
  ])("V5: refuses the address %s", (address, problem) => {
    const open = () => createHttpClient({ address, provider: "p", env: {} });
    expect(open).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: `The address of the provider ${problem}` }),
    );
    expect(open).not.toThrow(expect.objectContaining({ message: expect.stringContaining("canary") }));
  });

  it.each(["http://localhost:1", "http://[::1]:1", "http://127.9.9.9:1", "https://vault.example"])(
    "takes %s",
    (address) => {
      clientOf(address);
    },
  );

  it("keeps a process alive between two attempts", async () => {
    const server = await start((attempt) => ({ status: attempt < 2 ? 503 : 200, body: "value" }));
    const script = await bundleScript(new URL("asking-once.ts", import.meta.url));
    expect(await run(script, [server.address])).toBe("found");
    expect(server.requests.length).toBe(3);
  });

  it("takes plain http elsewhere only where it is allowed", () => {
    clientOf("http://vault.example", { allowHttp: true });
  });

  it("says that nobody is there", async () => {
    const address = await wireServer(() => undefined);
    await cleanups.pop()?.();
    expect(await clientOf(address).send()).toMatchObject({
      status: "unavailable",
      reason: `GET ${address}/v1/a: connection refused (ECONNREFUSED)`,
    });
  });

  it("V5: takes a TLS handshake that is cut for an outage", async () => {
    const { send, calls } = clientOf(await wireServer((socket) => socket.destroy(), "https"));
    expect(await send()).toMatchObject({ status: "unavailable" });
    expect(calls.map(({ status }) => status)).toEqual(["network", "network", "network"]);
  });

  it("V5: takes a server without TLS for an outage", async () => {
    const { send } = clientOf(await wireServer((socket) => socket.end("HTTP/1.1 400 no\r\n\r\n"), "https"));
    expect(await send()).toMatchObject({ status: "unavailable", reason: expect.stringContaining("no TLS connection") });
  });

  it("says why a TLS file cannot be used", async () => {
    const { send, calls } = clientOf("https://127.0.0.1:1", { caFile: "/nowhere/ca.pem" });
    expect(await send()).toMatchObject({
      status: "denied",
      reason: "a TLS file cannot be used (ENOENT)",
      hint: "Check /nowhere/ca.pem.",
    });
    expect(calls).toMatchObject([{ status: "certificate" }]);
  });
});
