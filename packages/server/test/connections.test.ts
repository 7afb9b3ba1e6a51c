// @module-tag faults
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CONNECTION_LIMITS, type ConnectionLimits, limitConnections, serverOptions } from "../src/connections.ts";

/** More than the buffers of a connection take. */
const LARGE = "x".repeat(16 * 1024 * 1024);

const limits: ConnectionLimits = {
  headersMs: 200,
  requestMs: 400,
  readMs: 300,
  checkMs: 50,
  maxConnections: 20,
  maxOfAddress: 20,
  maxUnanswered: 5,
};
const open: Socket[] = [];
let server: Server;
/** A busy machine may take its time there. */
let patient: Server;

async function serve(its: ConnectionLimits, isShared?: (address: string) => boolean): Promise<Server> {
  const started = createServer(serverOptions(its), (request, response) => {
    request.resume().once("end", () => response.end(request.url === "/large" ? LARGE : "ok"));
  });
  limitConnections(started, its, isShared);
  started.listen(0, "127.0.0.1");
  await once(started, "listening");
  return started;
}

beforeAll(async () => {
  server = await serve(limits);
  patient = await serve({ ...limits, headersMs: 60_000, requestMs: 60_000, readMs: 60_000 });
});

afterAll(() => {
  for (const socket of open) socket.destroy();
  server.close();
  patient.close();
});

function send(text: string, to = server): Socket {
  const socket = connect({ port: portOf(to), host: "127.0.0.1" });
  open.push(socket);
  socket.on("error", () => undefined);
  socket.write(text);
  return socket;
}

const portOf = (to: Server): number => (to.address() as AddressInfo).port;
const countOf = async (of: Server) => await new Promise((resolve) => of.getConnections((_, number) => resolve(number)));

/** What comes first; empty for a connection that is closed before. */
const answerOf = async (socket: Socket): Promise<string> =>
  await new Promise((resolve) => {
    socket.once("data", (bytes) => resolve(String(bytes)));
    socket.once("close", () => resolve(""));
  });

const GET = "GET / HTTP/1.1\r\nHost: localhost\r\n";
const POST = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";

/** A byte now and then, as slowloris does it. */
function drip(socket: Socket, text: string): Socket {
  const timer = setInterval(() => socket.write(text), 20);
  return socket.once("close", () => clearInterval(timer));
}

it.each<[string, () => Socket]>([
  ["says nothing", () => send("")],
  ["never ends its headers", () => drip(send(GET), "X: y\r\n")],
  ["never ends its body", () => drip(send(POST), "x")],
])("ends the connection of a client that %s", async (_, start) => {
  const socket = start().resume();
  // `once` would take a reset, which is an end too, for a failure.
  await new Promise((resolve) => socket.once("close", resolve));
  expect(socket.destroyed).toBe(true);
});

it("ends the connection of a client that does not read", async () => {
  const [socket] = [send("GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"), await once(server, "request")];
  socket.pause();
  await expect.poll(async () => await countOf(server)).toBe(0);
});

it("lets a client that reads have all of a large answer", async () => {
  const socket = send("GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", patient);
  let length = 0;
  for await (const chunk of socket) length += (chunk as Buffer).length;
  expect(length).toBeGreaterThan(LARGE.length);
});

it("takes as many connections as there may be, and others again once there are fewer", async () => {
  const ask = async () => await answerOf(send(`${GET}\r\n`, patient));
  const idle = Array.from({ length: limits.maxConnections }, () => send(GET, patient));
  await Promise.all(idle.map((socket) => once(socket, "connect")));
  const refused = send(`${GET}\r\n`, patient).resume();
  await new Promise((resolve) => refused.once("close", resolve));
  expect(refused.bytesRead).toBe(0);
  for (const socket of idle) socket.destroy();
  await expect.poll(ask).toMatch(/^HTTP\/1.1 200/);
});

it.each([
  ["takes no more than so many from one address, and others from it once there are fewer", false, 8],
  ["takes as many as there may be from an address that many clients share", true, 20],
])("%s", async (_, isShared, most) => {
  const its = { ...limits, headersMs: 60_000, requestMs: 60_000, readMs: 60_000, maxOfAddress: 8 };
  const shared = await serve(its, (address) => isShared && address === "127.0.0.1");
  try {
    const idle = Array.from({ length: most }, () => send(GET, shared));
    await Promise.all(idle.map((socket) => once(socket, "connect")));
    await expect.poll(async () => await countOf(shared)).toBe(most);
    const refused = send(`${GET}\r\n`, shared).resume();
    await new Promise((resolve) => refused.once("close", resolve));
    expect(refused.bytesRead).toBe(0);
    // Other systems have no other address of this machine by default.
    if (!isShared && process.platform === "linux") {
      const elsewhere = connect({ port: portOf(shared), host: "127.0.0.1", localAddress: "127.0.0.2" });
      open.push(elsewhere);
      elsewhere.write(`${GET}\r\n`);
      expect(await answerOf(elsewhere)).toMatch(/^HTTP\/1.1 200/);
    }
    for (const socket of idle) socket.destroy();
    const ask = async () => await answerOf(send(`${GET}\r\n`, shared));
    await expect.poll(ask).toMatch(/^HTTP\/1.1 200/);
  } finally {
    shared.closeAllConnections();
    shared.close();
  }
});

it("answers requests that come at once, and ends a connection with too many of them", async () => {
  const few = send(`${GET}\r\n`.repeat(limits.maxUnanswered));
  let answers = "";
  few.on("data", (bytes) => {
    answers += String(bytes);
  });
  await expect.poll(() => answers.split("HTTP/1.1 200").length - 1, { timeout: 30_000 }).toBe(limits.maxUnanswered);
  few.write(`${GET}\r\n`.repeat(limits.maxUnanswered + 1));
  await new Promise((resolve) => few.once("close", resolve));
});

it("has limits that a request of ours keeps", () => {
  const { headersMs, requestMs, readMs, checkMs, maxConnections, maxOfAddress } = CONNECTION_LIMITS;
  expect(maxOfAddress <= maxConnections / 4).toBe(true);
  expect(headersMs <= requestMs && requestMs <= readMs && checkMs < headersMs && maxConnections >= 1000).toBe(true);
});
