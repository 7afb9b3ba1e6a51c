import { readFile, stat } from "node:fs/promises";
import { isIP, Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { AutokestraError, type SourceFailure } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from "undici";
import { denied } from "./answers.ts";

/** How a provider's server is reached. */
export interface ConnectionOptions {
  /** `https://vault.example:8200`, with a path where the API does not begin at the root. */
  readonly address: string;
  /** The certificates that are trusted, as PEM, instead of those of the system. Read again when it changes. */
  readonly caFile?: string | undefined;
  /** Our own certificate and its key, as PEM, for servers that ask for one. Read again when they change. */
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Speak plain http with other machines too: whoever is in between reads every secret. Default: false. */
  readonly allowHttp?: boolean | undefined;
  /** For `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/** {@link ConnectionOptions} as they are configured; a server whose address is not fixed adds `address: z.string()`. */
export const connectionShape: {
  caFile: z.ZodExactOptional<z.ZodString>;
  certFile: z.ZodExactOptional<z.ZodString>;
  keyFile: z.ZodExactOptional<z.ZodString>;
  allowHttp: z.ZodExactOptional<z.ZodBoolean>;
} = {
  caFile: z.string().exactOptional(),
  certFile: z.string().exactOptional(),
  keyFile: z.string().exactOptional(),
  allowHttp: z.boolean().exactOptional(),
};

/** Connections to one server: kept open between calls, made anew when a TLS file changes. */
export interface Connections {
  readonly address: URL;
  get(): Promise<Dispatcher | SourceFailure>;
  close(): Promise<void>;
}

/**
 * Checks how a server is to be reached. Connects to nothing yet.
 *
 * @throws AutokestraError `OPTION_INVALID`
 */
export function createConnections(options: ConnectionOptions): Connections {
  const address = parseAddress(options);
  const proxy = findProxy(address, options.env ?? process.env);
  const files = { ca: options.caFile, cert: options.certFile, key: options.keyFile };
  let current: { readonly state: string; readonly dispatcher: Dispatcher } | null = null;
  let last: Promise<Dispatcher | SourceFailure> | null = null;
  const opening = new Set<Socket>();

  async function refresh(): Promise<Dispatcher | SourceFailure> {
    try {
      const state = await stateOf(Object.values(files));
      if (current?.state === state) return current.dispatcher;
      const [ca, cert, key] = await Promise.all([read(files.ca), read(files.cert), read(files.key)]);
      const dispatcher = openDispatcher(proxy, { ca, cert, key }, opening);
      // What was sent on the old connections is still answered there.
      current?.dispatcher.close().catch(() => undefined);
      current = { state, dispatcher };
      return dispatcher;
    } catch (error) {
      const names = Object.values(files).filter((path) => path !== undefined);
      return denied(`a TLS file cannot be used (${errorCode(error) || "not PEM"})`, `Check ${names.join(", ")}.`);
    }
  }

  return {
    address,
    async get() {
      // One after the other: of two that open connections at once, one would be closed before it is used.
      last = last === null ? refresh() : last.then(refresh);
      return await last;
    },
    async close() {
      await current?.dispatcher.destroy();
      // undici leaves those alone: they would keep the process alive until their time is over.
      for (const socket of opening) socket.destroy();
    },
  };
}

function parseAddress({ address, allowHttp = false }: ConnectionOptions): URL {
  const url = URL.canParse(address) ? new URL(address) : null;
  const problem = url === null ? "is not a URL" : addressProblem(url, allowHttp);
  if (url === null || problem !== null) {
    // The address is not quoted: what is wrong with it can be a password in it.
    throw new AutokestraError("OPTION_INVALID", `The address of the provider ${problem}`, {
      hint: "Write it like https://vault.example:8200. Plain http is for this machine alone, unless allowHttp is true.",
    });
  }
  return url;
}

function addressProblem(url: URL, allowHttp: boolean): string | null {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "is neither https nor http";
  if (url.username !== "" || url.password !== "") return "holds a user name or password";
  if (url.search !== "" || url.hash !== "") return "holds a query or a fragment";
  return url.protocol === "http:" && !allowHttp && !isLoopback(url.hostname)
    ? "is plain http to another machine"
    : null;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."));
}

/** The proxy for an address, and for whom it is not used. What goes to this machine never leaves it. */
function findProxy(address: URL, env: NodeJS.ProcessEnv): { readonly uri: string; readonly noProxy: string } | null {
  const variable = (name: string) => env[name.toLowerCase()] || env[name] || "";
  const name = address.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const uri = variable(name);
  if (uri === "" || isLoopback(address.hostname)) return null;
  if (!/^https?:$/.test(URL.canParse(uri) ? new URL(uri).protocol : "")) {
    throw new AutokestraError("OPTION_INVALID", `The proxy in ${name} is not an http or https URL`, {
      hint: "Write it like http://proxy.example:3128.",
    });
  }
  return { uri, noProxy: variable("NO_PROXY") };
}

interface TlsFiles {
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
}

/** How long a connection may take to open. The time of a call ends before. */
const CONNECT_MS = 10_000;

function openDispatcher(
  proxy: ReturnType<typeof findProxy>,
  { ca, cert, key }: TlsFiles,
  opening: Set<Socket>,
): Dispatcher {
  // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED must not turn it off.
  const tls = { rejectUnauthorized: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  // Throws where a key does not belong to its certificate: a connection would say so much later.
  createSecureContext(tls);
  const connect = trackConnections(buildConnector({ ...tls, timeout: CONNECT_MS }), opening);
  const options = { connect, headersTimeout: 0, bodyTimeout: 0 };
  if (proxy === null) return new Agent(options);
  const { uri, noProxy } = proxy;
  const through = { requestTls: { ...tls, timeout: CONNECT_MS }, proxyTls: { rejectUnauthorized: true } };
  const proxies = { httpProxy: uri, httpsProxy: uri, noProxy, clientFactory: openProxyClient };
  return new EnvHttpProxyAgent({ ...options, ...through, ...proxies });
}

/** Notes the connections that are not open yet. */
function trackConnections(connector: buildConnector.connector, opening: Set<Socket>): buildConnector.connector {
  return (options, callback) => {
    // What it returns is missing in its type.
    const socket: unknown = Reflect.apply(connector, undefined, [
      options,
      (...answer: Parameters<buildConnector.Callback>) => {
        if (socket instanceof Socket) opening.delete(socket);
        callback(...answer);
      },
    ]);
    if (socket instanceof Socket) opening.add(socket);
  };
}

/** The code of an error of the proxy. */
export const PROXY_FAILED = "ERR_PROXY";

/** undici tries a connection again, without end and without a pause, that a proxy has cut: it knows that by the code of the error. */
function openProxyClient(origin: URL, options: object): Dispatcher {
  const client = new Pool(origin, options);
  const connect = client.connect.bind(client);
  return Object.assign(client, {
    connect: async (params: Dispatcher.ConnectOptions) =>
      await connect(params).catch((error: unknown) => {
        const isCut = errorCode(error) === "UND_ERR_SOCKET";
        throw isCut ? Object.assign(new Error("cut by the proxy"), { code: PROXY_FAILED }) : error;
      }),
  });
}

async function stateOf(paths: readonly (string | undefined)[]): Promise<string> {
  const states = paths.map(async (path) => {
    if (path === undefined) return "";
    const { ino, size, mtimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(states)).join("|");
}

async function read(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : await readFile(path);
}
