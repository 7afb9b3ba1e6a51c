import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, createServer as createTcpServer, type Server } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { temporaryFolder } from "@autokestra/test-kit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createHttpClient, type HttpClient, type HttpOptions } from "../src/index.ts";
import { selfSigned, startTestServer } from "../src/testing/index.ts";
import { soon } from "./soon.ts";

const folder = temporaryFolder(afterAll);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

type Pem = ReturnType<typeof selfSigned>;

const pems: Record<"good" | "other" | "elsewhere" | "expired", Pem> = {} as never;
beforeAll(() => {
  pems.good = selfSigned();
  pems.other = selfSigned();
  pems.elsewhere = selfSigned("DNS:vault.example");
  pems.expired = selfSigned("IP:127.0.0.1", -1);
});

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Says who it is by its certificate, and what certificate it was shown. */
async function tlsServer(pem: Pem, clients?: Buffer): Promise<string> {
  const options = { ...pem, ...(clients && { ca: clients, requestCert: true, rejectUnauthorized: true }) };
  const port = await portOf(createTlsServer(options, (_request, response) => response.end("{}")));
  return `https://127.0.0.1:${port}`;
}

function pemFile(name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function clientOf(address: string, options: Partial<HttpOptions> = {}): HttpClient {
  const client = createHttpClient({ address, provider: "p", env: {}, ...options });
  cleanups.push(async () => await client.close());
  return client;
}

async function get(client: HttpClient) {
  return await client.send({ call: "read", path: "/a" }, soon());
}

it("V1: a connection that does not open ends when the provider is closed", async () => {
  const server = createTcpServer();
  const ended = new Promise<void>((resolve) => {
    server.on("connection", (socket) => socket.resume().once("close", () => resolve()));
  });
  const client = clientOf(`https://127.0.0.1:${await portOf(server)}`);
  expect(await client.send({ call: "read", path: "/a" }, soon(500))).toMatchObject({ timedOut: true });
  await client.close();
  await ended;
});

describe("V5: certificates", () => {
  it("trusts the authority of caFile", async () => {
    const client = clientOf(await tlsServer(pems.good), { caFile: pemFile("ca.pem", pems.good.cert) });
    expect(await get(client)).toMatchObject({ status: 200 });
  });

  it.each(["good", "elsewhere", "expired", "other"] as const)("denies one that is not right: %s", async (which) => {
    const trusted = { good: undefined, elsewhere: pems.elsewhere, expired: pems.expired, other: pems.good }[which];
    const caFile = trusted && pemFile("ca.pem", trusted.cert);
    // No variable turns it off.
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    const answer = await get(clientOf(await tlsServer(pems[which]), { caFile }));
    expect(answer).toMatchObject({
      status: "denied",
      reason: expect.stringContaining("the certificate is not trusted ("),
    });
  });

  it("denies all where caFile holds no certificate", async () => {
    const client = clientOf(await tlsServer(pems.good), { caFile: pemFile("empty.pem", Buffer.from("x")) });
    expect(await get(client)).toMatchObject({ status: "denied" });
  });

  it("reads caFile again when it changes", async () => {
    const caFile = pemFile("changing.pem", pems.other.cert);
    const client = clientOf(await tlsServer(pems.good), { caFile });
    expect(await get(client)).toMatchObject({ status: "denied" });
    pemFile("changing.pem", pems.good.cert);
    expect(await get(client)).toMatchObject({ status: 200 });
    pemFile("changing.pem", pems.other.cert);
    expect(await get(client)).toMatchObject({ status: "denied" });
  });

  it("shows its own certificate where it has one", async () => {
    const address = await tlsServer(pems.good, pems.other.cert);
    const caFile = pemFile("ca.pem", pems.good.cert);
    const certFile = pemFile("cert.pem", pems.other.cert);
    const keyFile = pemFile("key.pem", pems.other.key);
    expect(await get(clientOf(address, { caFile, certFile, keyFile }))).toMatchObject({ status: 200 });
    // TLS 1.3 refuses it after the handshake: all that is seen for certain is that the connection ends.
    expect(["denied", "unavailable"]).toContain((await get(clientOf(address, { caFile }))).status);
    const notOurs = pemFile("good-key.pem", pems.good.key);
    const answer = await get(clientOf(address, { caFile, certFile, keyFile: notOurs }));
    expect(answer).toMatchObject({ status: "denied", reason: expect.stringContaining("a TLS file cannot be used") });
  });
});

describe("S5: proxies", () => {
  const USER = "proxy-user:canary-proxy";

  function tunnel(socket: Duplex, target: number): void {
    const other = connect(target, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 ok\r\n\r\n");
      other.pipe(socket).pipe(other);
    });
    other.on("error", () => socket.destroy());
    cleanups.push(() => other.destroy());
  }

  /** A proxy that leads every tunnel to one port, and keeps what it was asked. */
  async function startProxy(target: number, status = 200) {
    const asked: { readonly line: string; readonly authorization: string | undefined }[] = [];
    const keep = ({ method, url, headers }: IncomingMessage) =>
      asked.push({ line: `${method} ${url}`, authorization: headers["proxy-authorization"] });
    const proxy = createServer((request, response) => {
      keep(request);
      response.end('"through"');
    });
    proxy.on("connect", (request, socket) => {
      keep(request);
      socket.on("error", () => undefined);
      if (status !== 200) socket.end(`HTTP/1.1 ${status} no\r\n\r\n`);
      else tunnel(socket, target);
    });
    const port = await portOf(proxy);
    cleanups.push(() => proxy.closeAllConnections());
    return { asked, uri: `http://${USER}@127.0.0.1:${port}` };
  }

  async function vault(status?: number) {
    const address = await tlsServer(selfSigned("DNS:vault.example"));
    return await startProxy(Number(new URL(address).port), status);
  }

  it("tunnels to https, and shows its password to the proxy alone", async () => {
    const pem = selfSigned("DNS:vault.example");
    const { asked, uri } = await startProxy(Number(new URL(await tlsServer(pem)).port));
    const client = clientOf("https://vault.example", {
      caFile: pemFile("vault.pem", pem.cert),
      env: { HTTPS_PROXY: uri },
    });
    expect(await get(client)).toMatchObject({ status: 200, asked: "GET https://vault.example/a" });
    expect(asked).toEqual([
      { line: "CONNECT vault.example:443", authorization: `Basic ${Buffer.from(USER).toString("base64")}` },
    ]);
  });

  it("verifies the certificate behind the proxy", async () => {
    const { uri } = await vault();
    expect(await get(clientOf("https://vault.example", { env: { https_proxy: uri } }))).toMatchObject({
      status: "denied",
    });
  });

  it("says that the proxy refuses, without its password", async () => {
    const { uri } = await vault(407);
    const answer = await get(clientOf("https://vault.example", { env: { HTTPS_PROXY: uri } }));
    expect(answer).toMatchObject({
      status: "unavailable",
      reason: expect.stringContaining("the proxy has not connected us"),
    });
    expect(JSON.stringify(answer)).not.toMatch(/canary|proxy-user/);
  });

  it("gives up where the proxy cuts the connection", async () => {
    const { asked, uri } = await startProxy(1);
    const answer = await get(clientOf("https://vault.example", { env: { HTTPS_PROXY: uri } }));
    expect(answer).toMatchObject({
      status: "unavailable",
      reason: expect.stringContaining("the proxy has not connected us"),
    });
    expect(asked.length).toBe(3);
  });

  it.each([
    ["nothing", ""],
    ["half a status line", "HTTP/1.1 2"],
    ["headers without an end", "HTTP/1.1 200 OK\r\nx: y\r\n"],
  ])("V1: waits no longer than the limit where the proxy answers CONNECT with %s", async (_what, bytes) => {
    const ended: Promise<void>[] = [];
    const proxy = createTcpServer((socket) => {
      ended.push(new Promise((resolve) => socket.once("close", () => resolve())));
      socket.on("error", () => undefined).once("data", () => socket.write(bytes));
    });
    const client = clientOf("https://vault.example", {
      env: { HTTPS_PROXY: `http://127.0.0.1:${await portOf(proxy)}` },
    });
    expect(await client.send({ call: "read", path: "/a" }, soon(1000))).toMatchObject({ timedOut: true });
    await client.close();
    await expect.poll(() => ended.length).toBe(1);
    await Promise.all(ended);
  });

  it("asks this machine itself, and those of NO_PROXY", async () => {
    const server = await startTestServer(() => ({ body: {} }));
    cleanups.push(async () => await server.close());
    const { asked, uri } = await startProxy(1);
    const env = { HTTP_PROXY: uri, HTTPS_PROXY: uri, NO_PROXY: "localhost.example" };
    expect(await get(clientOf(server.address, { env }))).toMatchObject({ status: 200 });
    const direct = await get(clientOf("https://localhost.example:1", { env }));
    expect(direct).toMatchObject({ status: "unavailable" });
    expect(asked).toEqual([]);
  });

  it("sends plain http through HTTP_PROXY where that is allowed", async () => {
    const { asked, uri } = await startProxy(1);
    await get(clientOf("http://vault.example", { allowHttp: true, env: { HTTP_PROXY: uri } }));
    expect(asked.map(({ line }) => line.replace(/ .*vault/, " vault")).at(0)).toMatch(/^(GET|CONNECT) vault\.example/);
  });

  it.each(["canary", "socks5://u:canary@x"])("refuses the proxy %s without repeating it", (uri) => {
    const open = () => createHttpClient({ address: "https://vault.example", provider: "p", env: { HTTPS_PROXY: uri } });
    expect(open).toThrow("The proxy in HTTPS_PROXY is not an http or https URL");
  });
});
