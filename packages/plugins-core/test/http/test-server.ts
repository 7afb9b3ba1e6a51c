import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { listen as listenHere } from "@autokestra/test-kit";
import { onTestFinished } from "vitest";

export interface ReceivedRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface TestServer {
  readonly origin: string;
  readonly received: readonly ReceivedRequest[];
  /** The sockets that are open now. */
  readonly sockets: ReadonlySet<Socket>;
}

/** A real HTTP server on 127.0.0.1 that keeps what it is sent. It ends with the test. */
export async function startServer(
  answer: (response: ServerResponse, request: ReceivedRequest) => void,
  { encoding = "utf8" }: { readonly encoding?: BufferEncoding } = {},
): Promise<TestServer> {
  const received: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      const one = { method, url, headers, body: Buffer.concat(chunks).toString(encoding) };
      received.push(one);
      answer(response, one);
    });
  });
  return { ...(await listen(server)), received };
}

/** A server that says this to whoever speaks first, and hangs up. */
export async function startRawServer(bytes: string): Promise<string> {
  const server = createTcpServer((socket) => socket.on("error", () => socket.destroy()));
  server.on("connection", (socket) => socket.once("data", () => socket.end(bytes)));
  return (await listen(server)).origin;
}

/** Starts a server and ends it, with all its sockets, after the test. */
export async function listen(server: Server): Promise<Omit<TestServer, "received">> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const origin = await listenHere(server);
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { origin, sockets };
}
