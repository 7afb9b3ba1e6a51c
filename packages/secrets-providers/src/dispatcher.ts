import { readFile, stat } from "node:fs/promises";
import { isIP, Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { AutokestraError, type SourceFailure } from "@autokestra/secrets-core";
import { errorCode, isUrl, z } from "@autokestra/secrets-core/internal";
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, Pool } from "undici";
import { denied } from "./answers.ts";

/** How to connect to the server of a provider. */
export interface ConnectionOptions {
  /** The address, such as `https://vault.example:8200`, with a path if the API does not begin at the root. */
  readonly address: string;
  /** A PEM file with the certificates to trust. It is read again when it changes. Default: those of the system. */
  readonly caFile?: string | undefined;
  /**
   * A PEM file with our own certificate, for servers that require one. It is read again when it changes. Default: none.
   */
  readonly certFile?: string | undefined;
  /** A PEM file with the key of `certFile`. */
  readonly keyFile?: string | undefined;
  /** Allow plain http to other machines, although anyone in between can read the secrets. Default: false. */
  readonly allowHttp?: boolean | undefined;
  /** The environment with `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

/**
 * The schema of {@link ConnectionOptions} in a configuration. Add `address: z.string()` if the address is not fixed.
 */
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

/** The connections to one server. They stay open between calls, and are replaced when a TLS file changes. */
export interface Connections {
  readonly address: URL;
  get(): Promise<Dispatcher | SourceFailure>;
  close(): Promise<void>;
}

/**
 * Checks the options of a connection. Connects to nothing yet.
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
      // Pending requests on the old connections are still answered.
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
      // One after the other, because otherwise a dispatcher could be closed before it is used.
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
  const url = isUrl(address) ? new URL(address) : null;
  const problem = url === null ? "is not a URL" : addressProblem(url, allowHttp);
  if (url === null || problem !== null) {
    // The message does not quote the address, because it can contain a password.
    throw new AutokestraError("OPTION_INVALID", `The address of the provider ${problem}`, {
      hint: "Write it like https://vault.example:8200. Plain http is for this machine alone, unless allowHttp is true.",
    });
  }
  return url;
}

function addressProblem(url: URL, allowHttp: boolean): string | null {
  if (url.protocol !== "https:" && url.protocol !== "http:") return "is neither https nor http";
  if (url.username !== "" || url.password !== "") return "contains a user name or password";
  if (url.search !== "" || url.hash !== "") return "contains a query or a fragment";
  return url.protocol === "http:" && !allowHttp && !isLoopback(url.hostname)
    ? "is plain http to another machine"
    : null;
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || (isIP(hostname) === 4 && hostname.startsWith("127."));
}

/** Returns the proxy for an address. Requests to this machine never use one. */
function findProxy(address: URL, env: NodeJS.ProcessEnv): { readonly uri: string; readonly noProxy: string } | null {
  const variable = (name: string) => env[name.toLowerCase()] || env[name] || "";
  const name = address.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const uri = variable(name);
  if (uri === "" || isLoopback(address.hostname)) return null;
  if (!/^https?:$/.test(isUrl(uri) ? new URL(uri).protocol : "")) {
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

/** The time limit for opening a connection, in milliseconds. The limit of a call is usually shorter. */
const CONNECT_MS = 10_000;

function openDispatcher(
  proxy: ReturnType<typeof findProxy>,
  { ca, cert, key }: TlsFiles,
  opening: Set<Socket>,
): Dispatcher {
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
  const tls = { rejectUnauthorized: true, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  // Throws now if the key does not belong to the certificate; a connection would fail much later.
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

/**
 * Changes the code of the error of a connection that the proxy has closed, because undici would retry it endlessly and
 * without a pause.
 */
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
