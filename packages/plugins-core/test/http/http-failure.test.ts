import type { ServerResponse } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { gzipSync } from "node:zlib";
import { TaskError } from "@autokestra/plugin-sdk";
import { runAction } from "@autokestra/plugin-sdk/testing";
import { expect, it } from "vitest";
import { requestAction } from "./actions.ts";
import { listen, startRawServer, startServer } from "./test-server.ts";

const CANARY = "canary-4711";

/** Everything a workflow can give holds the canary, and nothing of the error may. */
async function failWith(url: string, input: object = {}, signal?: AbortSignal): Promise<TaskError> {
  const secret = { query: { key: CANARY }, headers: { "X-Key": CANARY }, auth: { bearer: CANARY }, body: CANARY };
  const run = runAction(requestAction, { url: `${url}/path`, ...secret, ...input }, signal && { signal });
  const error = await run.then(
    () => expect.fail("it has not failed"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TaskError)) throw error;
  expect(error.cause).toBeUndefined();
  expect(`${error.stack} ${JSON.stringify(error, Object.getOwnPropertyNames(error))}`).not.toContain(CANARY);
  return error;
}

async function fail(url: string, input: object = {}, signal?: AbortSignal): Promise<string> {
  return (await failWith(url, input, signal)).message.replace(url, "ORIGIN");
}

const RESET = "connection closed by the other side (UND_ERR_SOCKET)";

it.each([
  ["hangs up", "", `failed: ${RESET}`],
  ["speaks another language", `SSH-2.0-${CANARY}\r\n`, "failed: the response is not valid HTTP"],
  ["gives a broken header", `HTTP/1.1 200 OK\r\nX-${CANARY} :\0\r\n\r\n`, "failed: the response is not valid HTTP"],
  [
    "gives two lengths",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "failed: the response is not valid HTTP (UND_ERR_RES_CONTENT_LENGTH_MISMATCH)",
  ],
  [
    "gives 32 KiB of headers",
    `HTTP/1.1 200 OK\r\nX: ${CANARY.repeat(3000)}\r\n\r\n`,
    "failed: the headers of the response are too large (UND_ERR_HEADERS_OVERFLOW)",
  ],
  ["cuts the body", `HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n${CANARY}`, `failed after status 200: ${RESET}`],
])("fails where the server %s", async (_, bytes, message) => {
  expect(await fail(await startRawServer(bytes))).toBe(`GET ORIGIN ${message}`);
});

it("fails where nobody listens", async () => {
  const closed = await startRawServer("");
  const url = closed.replace(/:\d+$/, ":1");
  expect(await fail(url)).toBe("GET ORIGIN failed: connection refused (ECONNREFUSED)");
});

it("fails where the connection is reset", async () => {
  const server = createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy()));
  const { origin } = await listen(server);
  expect(await fail(origin)).toBe("GET ORIGIN failed: connection closed by the other side (ECONNRESET)");
});

it("fails where there is no TLS", async () => {
  const { origin } = await startServer((response) => response.end());
  const url = origin.replace("http:", "https:");
  expect(await fail(url)).toMatch(/^GET ORIGIN failed: no TLS connection \([A-Z_]+\)$/);
});

it("names the origin that a redirect leads to, and no more of it", async () => {
  const location = `http://user:${CANARY}@127.0.0.1:1/${CANARY}?${CANARY}`;
  const { origin } = await startServer((response) => response.writeHead(302, { location }).end());
  expect(await fail(origin, { followRedirects: "always" })).toBe(
    "GET ORIGIN, redirected to http://127.0.0.1:1, failed: connection refused (ECONNREFUSED)",
  );
});

it("gives up after ten redirects", async () => {
  const { origin, received } = await startServer((response) => response.writeHead(302, { location: "/x" }).end());
  expect(await fail(origin)).toBe("GET ORIGIN failed after status 302: more than 10 redirects");
  expect(received).toHaveLength(11);
});

it.each(["json", "auto"])(
  "fails on broken JSON with response %s, says the status and nothing of the body",
  async (format) => {
    const { origin } = await startServer((response) =>
      response.writeHead(202, { "content-type": "application/json" }).end(`{"key": ${CANARY}`),
    );
    expect(await fail(origin, { response: format })).toBe(
      "GET ORIGIN failed after status 202: the body is not valid JSON; `response: text` gives it as it stands",
    );
  },
);

const TOO_LARGE = "GET ORIGIN failed after status 200: the response is larger than maxResponseBytes";

it("stops an endless body at the limit", async () => {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const { origin } = await startServer((response) => {
    const pump = () => {
      do sent += chunk.length;
      while (!response.destroyed && response.write(chunk));
      response.once("drain", pump);
    };
    pump();
  });
  expect(await fail(origin)).toBe(TOO_LARGE);
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

it("stops a gzip bomb at the limit", async () => {
  const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(1024 * 1024);
  const { origin } = await startServer((response) => response.setHeader("content-encoding", "gzip").end(bomb));
  expect(await fail(origin)).toBe(TOO_LARGE);
});

it("counts the limit to the byte", async () => {
  const { origin } = await startServer((response) => response.end("12345"));
  expect((await runAction(requestAction, { url: origin, maxResponseBytes: 5 })).output.status).toBe(200);
  expect(await fail(origin, { maxResponseBytes: 4 })).toContain("larger than maxResponseBytes");
  const zipped = await startServer((response) =>
    response.setHeader("content-encoding", "gzip").end(gzipSync("a".repeat(100))),
  );
  expect((await runAction(requestAction, { url: zipped.origin, maxResponseBytes: 100 })).output.status).toBe(200);
  expect(await fail(zipped.origin, { maxResponseBytes: 99 })).toBe(TOO_LARGE);
});

it.each([
  ["gzip", CANARY, "the compressed response is damaged"],
  ["br", CANARY, "the compressed response is damaged"],
  ["gzip", gzipSync(CANARY).subarray(0, 20), "the compressed response is damaged"],
  ["gzip, gzip", gzipSync(gzipSync(CANARY)), "the response is compressed in another way than gzip, deflate or br"],
  ["constructor", CANARY, "the response is compressed in another way than gzip, deflate or br"],
])("fails on a body that is said to be %s and is not", async (encoding, bytes, message) => {
  const { origin } = await startServer((response) => response.setHeader("content-encoding", encoding).end(bytes));
  expect(await fail(origin)).toBe(`GET ORIGIN failed after status 200: ${message}`);
});

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write("x"), 10);
  response.once("close", () => clearInterval(timer));
}

const slowServers: [string, () => Promise<string>][] = [
  ["never answers", async () => (await startServer((response) => response)).origin],
  ["never ends the body", async () => (await startServer((response) => response.write("x"))).origin],
  ["sends the body byte by byte", async () => (await startServer(drip)).origin],
  ["never ends the handshake", async () => (await listen(createTcpServer())).origin.replace("http:", "https:")],
];

it.each(slowServers)("runs out of time where the server %s", async (_, start) => {
  const message = await fail(await start(), { timeoutSeconds: 0.1 });
  expect(message).toMatch(/^GET ORIGIN failed( after status 200)?: no complete response within 0\.1 s$/);
});

it.each(slowServers)("can be cancelled where the server %s", async (_, start) => {
  const message = await fail(await start(), {}, AbortSignal.timeout(100));
  expect(message).toMatch(/^GET ORIGIN failed( after status 200)?: cancelled$/);
});

it("sends nothing where it is cancelled before", async () => {
  const { origin, received } = await startServer((response) => response.end());
  expect(await fail(origin, {}, AbortSignal.abort(new Error(CANARY)))).toBe("GET ORIGIN failed: cancelled");
  expect(received).toEqual([]);
});

it.each<[string, boolean, number | undefined, (origin: string) => Promise<TaskError>]>([
  ["HTTP_NETWORK", true, undefined, async () => await failWith("http://127.0.0.1:1")],
  ["HTTP_NETWORK", true, undefined, async () => await failWith(await startRawServer("SSH-2.0-x\r\n"))],
  ["HTTP_NETWORK", true, undefined, async (origin) => await failWith(origin.replace("http:", "https:"))],
  [
    "HTTP_TIMEOUT",
    true,
    undefined,
    async (origin) => await failWith(origin, { timeoutSeconds: 0.1, query: { hang: 1 } }),
  ],
  ["HTTP_CANCELLED", false, undefined, async (origin) => await failWith(origin, {}, AbortSignal.abort())],
  ["HTTP_RESPONSE", false, 200, async (origin) => await failWith(origin, { response: "json" })],
  ["HTTP_RESPONSE", false, 200, async (origin) => await failWith(origin, { maxResponseBytes: 1 })],
])("KP1: %s can be retried: %s", async (code, retryable, status, act) => {
  const { origin } = await startServer((response, { url }) => (url?.includes("hang") ? response : response.end("{}}")));
  expect(await act(origin)).toMatchObject({ code, retryable, status, retryAfterSeconds: undefined });
});

it.each([
  ["http://LocalHost:1/x?y#z", "http://LocalHost:1"],
  ["HTTP://0x7F.1:1", "http://0x7F.1:1"],
  ["  http:\\\\LOCALHOST:01\\x  ", "http://LOCALHOST:01"],
])("KM5: names the host of %s as it is written", async (url, origin) => {
  await expect(runAction(requestAction, { url })).rejects.toThrow(`GET ${origin} failed: connection refused`);
});
