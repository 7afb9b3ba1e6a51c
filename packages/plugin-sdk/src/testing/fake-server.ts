import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";

/** A request that a fake server has received. */
export interface ReceivedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  /** By names in lower case; values of the same name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a fake server answers. An object as body is sent as JSON. */
export interface FakeAnswer {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: empty. */
  readonly body?: unknown;
}

/** A server of a test. Create one with {@link startFakeServer}. */
export interface FakeServer {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** What it has received, in this order. */
  readonly requests: readonly ReceivedRequest[];
  close(): Promise<void>;
}

/**
 * Starts a server on this machine for the test of an action that sends requests. Call `close` at the end.
 *
 * @param answers what it answers, by `METHOD /path` (without the query), or a function. Everything else is 404
 * @example
 * ```ts
 * import { startFakeServer } from "@autokestra/plugin-sdk/testing";
 *
 * const server = await startFakeServer({ "GET /user": { body: { name: "Ada" } } });
 * const response = await fetch(`${server.url}/user?full=1`, { headers: { authorization: "Bearer t" } });
 * console.log(await response.text()); // prints {"name":"Ada"}
 * console.log(server.requests[0]?.headers["authorization"]); // prints Bearer t
 * await server.close();
 * ```
 */
export async function startFakeServer(
  answers: Readonly<Record<string, FakeAnswer>> | ((request: ReceivedRequest) => FakeAnswer | Promise<FakeAnswer>),
): Promise<FakeServer> {
  const requests: ReceivedRequest[] = [];
  const answer =
    typeof answers === "function"
      ? answers
      : ({ method, path }: ReceivedRequest): FakeAnswer => {
          const key = `${method} ${path.replace(/\?.*$/s, "")}`;
          return (Object.hasOwn(answers, key) ? answers[key] : undefined) ?? { status: 404 };
        };
  async function respond(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await receive(incoming);
    requests.push(request);
    const failed: FakeAnswer = { status: 500 };
    const {
      status = 200,
      headers = {},
      body,
    } = await Promise.resolve(request)
      .then(answer)
      .catch(() => failed);
    const isText = typeof body === "string" || body instanceof Uint8Array;
    const type = body === undefined || isText ? {} : { "content-type": "application/json" };
    response.writeHead(status, { ...type, ...headers });
    response.end(body === undefined || isText ? body : JSON.stringify(body));
  }
  // A client that has left gets no answer.
  const server = createServer((incoming, response) => void respond(incoming, response).catch(() => response.destroy()));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function receive(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const { method = "GET", url = "/", headers } = incoming;
  return {
    method,
    path: url,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : String(value)]),
    ),
    body: (await buffer(incoming)).toString(),
  };
}
