import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, createServer as createTcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { invokeAction } from "@autokestra/plugin-sdk";
import { createTestContext, type TestContextOptions } from "@autokestra/plugin-sdk/testing";
import { selfSigned } from "@autokestra/secrets-providers/testing";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { findProxy } from "../../src/http/proxy.ts";
import { requestAction } from "./actions.ts";
import { listen, startServer } from "./test-server.ts";

const USER = "proxy-user:canary%40proxy";
const PASSWORD = "canary@proxy";
const BASIC = `Basic ${Buffer.from(`proxy-user:${PASSWORD}`).toString("base64")}`;

interface Asked {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
}

function tunnel(socket: Duplex, target: number): void {
  const other = connect(target, "127.0.0.1", () => {
    socket.write("HTTP/1.1 200 ok\r\n\r\n");
    other.pipe(socket).pipe(other);
  });
  other.on("error", () => socket.destroy());
  socket.on("error", () => other.destroy()).on("close", () => other.destroy());
}

/** A proxy that leads every tunnel to one port, and keeps what it was asked. It is that of the environment. */
async function startProxy(target = 1, answer = ""): Promise<Asked[]> {
  const asked: Asked[] = [];
  const keep = ({ method, url, headers }: IncomingMessage) => asked.push({ line: `${method} ${url}`, headers });
  const proxy = createServer((incoming, response) => {
    keep(incoming);
    response
      .setHeader("content-type", "text/plain")
      .end("through the proxy".repeat(incoming.url?.includes("long") ? 1000 : 1));
  });
  proxy.on("connect", (incoming, socket) => {
    keep(incoming);
    socket.on("error", () => undefined);
    if (answer === "") tunnel(socket, target);
    else socket.write(answer);
    if (answer.endsWith("\r\n\r\n")) socket.end();
  });
  const { origin } = await listen(proxy);
  useProxy(origin.replace("//", `//${USER}@`));
  return asked;
}

function useProxy(uri: string): void {
  vi.stubEnv("HTTP_PROXY", uri);
  vi.stubEnv("HTTPS_PROXY", uri);
  onTestFinished(() => void vi.unstubAllEnvs());
}

async function request(input: object, options: TestContextOptions = {}) {
  const context = createTestContext(options);
  const output = await invokeAction(requestAction, input, context);
  return { output, masked: context.masked };
}

describe("S5: a proxy of the environment", () => {
  it("gets http requests whole, and its password", async () => {
    const asked = await startProxy();
    const { output, masked } = await request({
      url: "http://api.test/a?b=c",
      headers: { "x-a": "b" },
      query: { d: 1 },
    });
    expect(output).toMatchObject({ status: 200, body: "through the proxy", url: "http://api.test/a?b=c&d=1" });
    expect(asked).toMatchObject([
      {
        line: "GET http://api.test/a?b=c&d=1",
        headers: { host: "api.test", "x-a": "b", "proxy-authorization": BASIC },
      },
    ]);
    expect(masked).toEqual([
      { value: PASSWORD, name: "HTTP_PROXY" },
      { value: `proxy-user:${PASSWORD}`, name: "HTTP_PROXY" },
    ]);
  });

  it("opens tunnels for https, in which it sees nothing", async () => {
    const { cert, key } = selfSigned("DNS:api.test");
    const seen: IncomingMessage["headers"][] = [];
    const server = createTlsServer({ cert, key }, ({ headers }, response) => {
      seen.push(headers);
      response.end("inside");
    });
    const asked = await startProxy(Number(new URL((await listen(server)).origin).port));
    const tls = { ca: cert.toString() };
    const { output } = await request({
      url: "https://api.test/a",
      auth: { bearer: "canary-token" },
      tls,
      response: "text",
    });
    expect(output.body).toBe("inside");
    expect(asked).toMatchObject([{ line: "CONNECT api.test:443", headers: { "proxy-authorization": BASIC } }]);
    expect(JSON.stringify(asked)).not.toContain("canary-token");
    expect(seen).toMatchObject([{ host: "api.test", authorization: "Bearer canary-token" }]);
    expect(seen[0]).not.toHaveProperty("proxy-authorization");
    await expect(request({ url: "https://api.test/a" })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
      message: expect.stringContaining("the certificate of the server is not trusted"),
    });
  });

  it.each([
    ["refuses", "HTTP/1.1 407 no\r\n\r\n", "the proxy has not connected us: status 407"],
    ["hangs up", "HTTP/1.1 2\r\n\r\n", "the response is not valid HTTP"],
  ])("that %s fails the task without its password", async (_, answer, reason) => {
    const asked = await startProxy(1, answer);
    const error = await request({ url: "https://api.test/" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "HTTP_NETWORK", message: `GET https://api.test failed: ${reason}` });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/canary|proxy-user/);
    expect(asked).toHaveLength(1);
  });

  it("that cuts the connection is asked once", async () => {
    const asked = await startProxy(1);
    await expect(request({ url: "https://api.test/" })).rejects.toMatchObject({
      code: "HTTP_NETWORK",
      message: "GET https://api.test failed: the proxy has not connected us (ERR_PROXY)",
    });
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["nothing", ""],
    ["half a status line", "HTTP/1.1 2"],
  ])("that answers %s is not waited for longer than the limit", async (_, answer) => {
    const proxy = createTcpServer((socket) =>
      socket.on("error", () => undefined).on("data", () => socket.write(answer)),
    );
    const { origin, sockets } = await listen(proxy);
    useProxy(origin);
    for (const url of ["https://api.test/", "http://api.test/"]) {
      await expect(request({ url, timeoutSeconds: 0.2 })).rejects.toMatchObject({ code: "HTTP_TIMEOUT" });
      await expect(request({ url }, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
        code: "HTTP_CANCELLED",
      });
    }
    await expect.poll(() => sockets.size).toBe(0);
  });

  it("changes nothing about the limit of a response", async () => {
    await startProxy();
    await expect(request({ url: "http://api.test/long", maxResponseBytes: 1000 })).rejects.toMatchObject({
      code: "HTTP_RESPONSE",
      message: expect.stringContaining("larger than maxResponseBytes"),
    });
  });

  it("is not used with `proxy: off`, for this machine and for NO_PROXY", async () => {
    const asked = await startProxy();
    const { origin } = await startServer((response) => response.end("direct"));
    const { output, masked } = await request({ url: origin, response: "text" });
    expect([output.body, masked]).toEqual(["direct", []]);
    await request({ url: origin.replace("127.0.0.1", "localhost") });
    await expect(request({ url: "http://api.invalid/", proxy: "off" })).rejects.toThrow("host not found");
    vi.stubEnv("NO_PROXY", "a.test, .invalid");
    await expect(request({ url: "http://api.invalid/" })).rejects.toThrow("host not found");
    expect(asked).toEqual([]);
  });

  it("cannot lead to an address that is not allowed", async () => {
    const asked = await startProxy();
    for (const url of ["http://169.254.169.254/", "http://metadata.google.internal/", "https://2852039166/"]) {
      await expect(request({ url })).rejects.toMatchObject({ code: "HTTP_NOT_ALLOWED" });
    }
    expect(asked).toEqual([]);
  });
});

describe("findProxy", () => {
  const P = "http://proxy.test:3128";

  it.each<[string, Record<string, string>, string | null]>([
    ["http://api.test/", { HTTP_PROXY: P }, P],
    ["http://api.test/", { HTTPS_PROXY: P }, null],
    ["https://api.test/", { HTTPS_PROXY: P }, P],
    ["https://api.test/", { https_proxy: P, HTTPS_PROXY: "http://other.test" }, P],
    ["https://api.test/", { https_proxy: "", HTTPS_PROXY: P }, P],
    ["https://api.test/", { HTTPS_PROXY: "proxy.test:3128" }, P],
    ["https://api.test/", { HTTPS_PROXY: "https://proxy.test" }, "https://proxy.test"],
    ["https://api.test/", { HTTPS_PROXY: P, NO_PROXY: "api.test" }, null],
    ["https://a.api.test/", { HTTPS_PROXY: P, no_proxy: "x,API.test." }, null],
    ["https://a.api.test/", { HTTPS_PROXY: P, NO_PROXY: ".api.test" }, null],
    ["https://a.api.test/", { HTTPS_PROXY: P, NO_PROXY: "*.api.test" }, null],
    ["https://api.test/", { HTTPS_PROXY: P, NO_PROXY: "api.test:443" }, null],
    ["https://api.test/", { HTTPS_PROXY: P, NO_PROXY: "api.test:8443" }, P],
    ["https://badapi.test/", { HTTPS_PROXY: P, NO_PROXY: "api.test" }, P],
    ["https://api.test/", { HTTPS_PROXY: P, NO_PROXY: " , " }, P],
    ["https://api.test/", { HTTPS_PROXY: P, NO_PROXY: "*" }, null],
    ["https://localhost/", { HTTPS_PROXY: P }, null],
    ["https://a.localhost/", { HTTPS_PROXY: P }, null],
    ["https://127.9.9.9/", { HTTPS_PROXY: P }, null],
    ["https://[::1]/", { HTTPS_PROXY: P }, null],
    ["https://127.test/", { HTTPS_PROXY: P }, P],
  ])("%s with %j: %s", (url, env, uri) => {
    expect(findProxy(new URL(url), env)?.uri ?? null).toBe(uri);
  });

  it.each([
    ["http://u:p%40ss@proxy.test", "u:p@ss", ["p@ss", "u:p@ss"]],
    ["http://u@proxy.test", "u:", []],
  ])("takes the password of %s apart", (uri, basic, secrets) => {
    expect(findProxy(new URL("http://api.test"), { HTTP_PROXY: uri })).toEqual({
      variable: "HTTP_PROXY",
      uri: "http://proxy.test",
      authorization: `Basic ${Buffer.from(basic).toString("base64")}`,
      secrets,
    });
  });

  it.each(["socks5://canary@proxy.test", "http://", "http://u:canary%@proxy.test", "canary canary"])(
    "refuses %s without repeating it",
    (uri) => {
      expect(() => findProxy(new URL("http://api.test"), { HTTP_PROXY: uri })).toThrow(
        "the proxy in HTTP_PROXY is not an http or https URL",
      );
    },
  );
});
