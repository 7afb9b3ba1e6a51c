import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { addressKey } from "./rate-limiter.ts";

/** How long clients may take, and how much of a server they may keep. */
export interface ConnectionLimits {
  /** How long it may take for its headers. Default: 10 s. */
  readonly headersMs: number;
  /** How long it may take for a whole request. Default: 30 s. */
  readonly requestMs: number;
  /** How long it may take to read what it is answered. Default: 60 s. */
  readonly readMs: number;
  /** How often to look for slow clients. Default: 5 s. */
  readonly checkMs: number;
  /** How many connections there are at once: more are closed at once. Default: 1000. */
  readonly maxConnections: number;
  /** How many of them one address has, or one IPv6 network: more are closed at once. Default: 250. */
  readonly maxOfAddress: number;
  /** How many requests of one connection may wait for their answers: with more, it is ended. Default: 16. */
  readonly maxUnanswered: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  readMs: 60_000,
  checkMs: 5000,
  maxConnections: 1000,
  maxOfAddress: 250,
  maxUnanswered: 16,
};

/** Options for the constructor of a server: Node.js accepts them nowhere else. */
export function serverOptions({ checkMs, headersMs }: ConnectionLimits = CONNECTION_LIMITS): {
  readonly connectionsCheckingInterval: number;
  /** Of TLS. */
  readonly handshakeTimeout: number;
} {
  return { connectionsCheckingInterval: checkMs, handshakeTimeout: headersMs };
}

/**
 * Closes the connections of slow clients, and those above the maximum number.
 *
 * @param isShared whether many clients come from an address, as from a proxy: it may have all connections. Default: none is
 */
export function limitConnections(
  server: Server,
  limits: ConnectionLimits = CONNECTION_LIMITS,
  isShared: (address: string) => boolean = () => false,
): void {
  const { headersMs, requestMs, readMs, checkMs, maxConnections, maxUnanswered } = limits;
  server.headersTimeout = headersMs;
  server.requestTimeout = requestMs;
  server.maxConnections = maxConnections;
  /** Since when each connection was seen to have something that its client has not read. */
  const sockets = new Map<Socket, number>();

  function endSlowReaders(): void {
    const now = performance.now();
    for (const [socket, since] of sockets) {
      if (socket.writableLength === 0) sockets.set(socket, Number.POSITIVE_INFINITY);
      else if (since === Number.POSITIVE_INFINITY) sockets.set(socket, now);
      else if (now - since >= readMs) socket.destroy();
    }
  }

  // Node.js has no limit for this one. To look at all of them now and then costs a request nothing.
  const timer = setInterval(endSlowReaders, checkMs).unref();
  const add = (socket: Socket): void => {
    sockets.set(socket, Number.POSITIVE_INFINITY);
    socket.once("close", () => sockets.delete(socket));
  };
  server.on("connection", add);
  server.on("connection", limitAddresses(limits.maxOfAddress, isShared));
  // With TLS, what is not read yet waits in the socket around that of the connection.
  server.on("secureConnection", add);
  server.once("close", () => clearInterval(timer));

  /** Node.js takes thousands of requests that came at once, and keeps their answers until they can be sent. */
  const unanswered = new WeakMap<Socket, number>();
  server.prependListener("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    if (count > maxUnanswered) socket.destroy();
  });
}

/** One client must not keep all others out. */
function limitAddresses(max: number, isShared: (address: string) => boolean): (socket: Socket) => void {
  /** How many connections each address has. */
  const counts = new Map<string, number>();
  return (socket) => {
    const { remoteAddress } = socket;
    // A Unix socket has none.
    if (remoteAddress === undefined || isShared(remoteAddress)) return;
    const key = addressKey(remoteAddress);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    socket.once("close", () => {
      const left = (counts.get(key) ?? 1) - 1;
      if (left > 0) counts.set(key, left);
      else counts.delete(key);
    });
    // Its client is to learn of it at once, as where there are too many connections in all.
    if (count > max) socket.resetAndDestroy();
  };
}

/** Answers what Node.js takes for no HTTP: two lengths, two ways to say the length, no host, headers that are too large. */
export function refuseMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const title = STATUS_CODES[status] ?? "";
  const problem = {
    type: "about:blank",
    title,
    status,
    detail: "This is no valid HTTP request",
    code: "REQUEST_INVALID",
  };
  const body = JSON.stringify({ ...problem, requestId: crypto.randomUUID() });
  const head = [
    `HTTP/1.1 ${status} ${title}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Cache-Control: no-store",
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
