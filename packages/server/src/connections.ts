import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** What a client may keep of a server. */
export interface ConnectionLimits {
  /** How long it may take for its headers. Default: 10 s. */
  readonly headersMs: number;
  /** How long it may take for a whole request. Default: 30 s. */
  readonly requestMs: number;
  /** How long it may take to read what it is answered. Default: 60 s. */
  readonly readMs: number;
  /** How often it is looked for who has taken longer. Default: 5 s. */
  readonly checkMs: number;
  /** How many connections there are at once: more are closed at once. Default: 1000. */
  readonly maxConnections: number;
  /** How many requests of one connection may wait for their answers: with more, it is ended. Default: 16. */
  readonly maxUnanswered: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  headersMs: 10_000,
  requestMs: 30_000,
  readMs: 60_000,
  checkMs: 5000,
  maxConnections: 1000,
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

/** Closes the connections of slow clients, and those above the maximum number. */
export function limitConnections(server: Server, limits: ConnectionLimits = CONNECTION_LIMITS): void {
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
