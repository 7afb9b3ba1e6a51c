import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

/** A fault of a server. */
export type Fault =
  | "hang at connect"
  | "hang at headers"
  | "hang in the body"
  | "one byte a second"
  | "reset"
  | "403"
  | "404"
  | "429 with Retry-After 3600"
  | "500 for ever"
  | "200 null"
  | "200 HTML"
  | "cut JSON"
  | "gzip bomb of 1 GB"
  | "self-signed TLS"
  | "redirect";

/** A request that a server has received. */
export interface SeenRequest {
  readonly method: string;
  /** The path as it was sent, not decoded. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** The answer of a server without faults. */
export interface SoundAnswer {
  /** Default: 200 */
  readonly status?: number | undefined;
  /** Default: `content-type: application/json` */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** A value that is not a text is sent as JSON. */
  readonly body: unknown;
}

export interface TestServer {
  /** `http://127.0.0.1:PORT`, or https for a fault of TLS. */
  readonly address: string;
  readonly requests: readonly SeenRequest[];
  close(): Promise<void>;
}

type Answer = (request: SeenRequest) => SoundAnswer | Promise<SoundAnswer>;

/** Starts a server on this machine that answers as configured, and keeps the requests. */
export async function startTestServer(answer: Answer): Promise<TestServer> {
  return await startServer(answer, null, () => true);
}

/**
 * Starts a server with one fault.
 *
 * @param answer the answer to requests without the fault: those for which `applies` returns false
 */
export async function startFaultServer(
  fault: Fault,
  answer: Answer,
  applies: (request: SeenRequest) => boolean = () => true,
): Promise<TestServer> {
  if (fault !== "hang at connect") return await startServer(answer, fault, applies);
  // Accepts the connection, but never answers the TLS handshake.
  const server = createTcpServer();
  return { ...(await listen(server, "https")), requests: [] };
}

async function startServer(
  answer: Answer,
  fault: Fault | null,
  applies: (request: SeenRequest) => boolean,
): Promise<TestServer> {
  const requests: SeenRequest[] = [];
  const respond = async (incoming: IncomingMessage, response: ServerResponse) => {
    const request = await receive(incoming);
    requests.push(request);
    const misbehave: Misbehaviour = fault === null || !applies(request) ? send : (FAULTS[fault] ?? send);
    await misbehave(response, await answer(request));
  };
  const listener: RequestListener = (incoming, response) => void respond(incoming, response);
  const isTls = fault === "self-signed TLS";
  const server = isTls ? createTlsServer(selfSigned(), listener) : createServer(listener);
  return { ...(await listen(server, isTls ? "https" : "http")), requests };
}

async function receive(incoming: IncomingMessage): Promise<SeenRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const { method = "", url = "", headers } = incoming;
  return { method, path: url, headers, body: Buffer.concat(chunks).toString() };
}

function textOf({ body }: SoundAnswer): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

function send(response: ServerResponse, answer: SoundAnswer): void {
  const { status = 200, headers = JSON_TYPE } = answer;
  response.writeHead(status, headers).end(textOf(answer));
}

const JSON_TYPE = { "content-type": "application/json" };

type Misbehaviour = (response: ServerResponse, answer: SoundAnswer) => void | Promise<void>;

/** The responses of faults. Faults of the connection have none. */
const FAULTS: Partial<Readonly<Record<Fault, Misbehaviour>>> = {
  "hang at headers": () => undefined,
  "hang in the body": (response, answer) => {
    const text = textOf(answer);
    response.writeHead(200, JSON_TYPE).write(text.slice(0, text.length / 2));
  },
  "one byte a second": (response, answer) => {
    const text = textOf(answer);
    let at = 0;
    response.writeHead(200, JSON_TYPE);
    const timer = setInterval(() => response.write(text.charAt(at++) || " "), 1000);
    response.once("close", () => clearInterval(timer));
  },
  reset: ({ socket }) => void socket?.resetAndDestroy(),
  "403": (response) => send(response, { status: 403, body: { errors: [CANARY] } }),
  "404": (response) => send(response, { status: 404, body: { errors: [CANARY] } }),
  "429 with Retry-After 3600": (response) =>
    send(response, { status: 429, headers: { ...JSON_TYPE, "retry-after": "3600" }, body: { errors: [CANARY] } }),
  "500 for ever": (response) => send(response, { status: 500, body: { errors: [CANARY] } }),
  "200 null": (response) => send(response, { body: null }),
  "200 HTML": (response) =>
    send(response, { headers: { "content-type": "text/html" }, body: `<html><p>${CANARY}</p></html>` }),
  "cut JSON": (response, answer) => {
    const text = textOf(answer);
    send(response, { body: text.startsWith("{") ? text.slice(0, -1) : `{"${CANARY}` });
  },
  "gzip bomb of 1 GB": async (response) => {
    response.writeHead(200, { ...JSON_TYPE, "content-encoding": "gzip" });
    // The client closes the connection, which is not an error here.
    await pipeline(bomb, response).catch(() => undefined);
  },
  redirect: (response) => {
    const { host } = response.req.headers;
    response.writeHead(302, { location: `http://${host}/elsewhere?${CANARY}` }).end();
  },
};

/** A text in every error response, which no message may contain. */
export const CANARY = "canary-in-a-body-7f3a9c";

/** Compresses one megabyte once, so that it costs the server little: gzip members in a row are parts of one text. */
async function* bomb(): AsyncGenerator<Buffer> {
  const megabyte = await promisify(gzip)(Buffer.alloc(1024 * 1024, 0x20));
  for (let sent = 0; sent < 1024; sent += 1) yield megabyte;
}

async function listen(server: Server, scheme: "http" | "https"): Promise<Pick<TestServer, "address" | "close">> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `${scheme}://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/**
 * Creates a self-signed certificate with the `openssl` of this machine.
 *
 * @param names the names of the certificate. Default: this machine
 * @param days how long it is valid, in days; negative for an expired one. Default: 2
 */
export function selfSigned(
  names = "DNS:localhost,IP:127.0.0.1",
  days = 2,
): { readonly key: Buffer; readonly cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "autokestra-tls-"));
  try {
    const [key, request, cert] = ["key.pem", "request.pem", "cert.pem"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const openssl = (words: string, ...paths: string[]) =>
      execFileSync("openssl", [...words.split(" "), ...paths], { stdio: "ignore" });
    const how = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost";
    openssl(`${how} -addext subjectAltName=${names} -keyout`, key, "-out", request);
    openssl(`x509 -req -copy_extensions copy -days ${days} -signkey`, key, "-in", request, "-out", cert);
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
