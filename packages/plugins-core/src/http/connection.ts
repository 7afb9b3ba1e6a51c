import { Agent, type Dispatcher, Pool, ProxyAgent } from "undici";
import type { NetworkGuard } from "./network-guard.ts";
import { type HttpProxy, PROXY_CUT } from "./proxy.ts";
import type { Hop } from "./request-url.ts";

interface ConnectionOptions {
  /** Ends all sockets, also those that are still being opened, which the signal of a request does not reach. */
  readonly signal: AbortSignal;
  /** The maximum size of a response on the wire, in bytes. */
  readonly maxResponseBytes: number;
  readonly guard: NetworkGuard;
  /** Null for a direct connection. */
  readonly proxy: HttpProxy | null;
}

/** Opens what connects to the origin of a hop. It must be used for no other origin, and must be destroyed. */
export function openConnection({ url, tls }: Hop, options: ConnectionOptions): Dispatcher {
  const { signal, maxResponseBytes, guard, proxy } = options;
  const limits = { headersTimeout: 0, bodyTimeout: 0, maxResponseSize: maxResponseBytes };
  const socket = { signal, timeout: 0 };
  // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
  const verified = { ...socket, rejectUnauthorized: true };
  const requestTls = { ...verified, ...tls };
  if (proxy === null) return new Agent({ ...limits, connect: { ...requestTls, lookup: guard.lookupFor(url) } });
  return new ProxyAgent({
    ...limits,
    uri: proxy.uri,
    ...(proxy.authorization !== undefined && { token: proxy.authorization }),
    // Many proxies open tunnels for https only.
    proxyTunnel: false,
    requestTls,
    proxyTls: verified,
    clientFactory: openProxyClient,
    // ProxyAgent does not hand over the limits to requests without a tunnel.
    factory: (origin: URL, given: object) => new Pool(origin, { ...given, ...limits }),
  });
}

/**
 * Changes the code of the error of a tunnel that the proxy has closed, because undici would retry it endlessly and
 * without a pause.
 */
function openProxyClient(origin: URL, options: object): Dispatcher {
  const client = new Pool(origin, options);
  const connect = client.connect.bind(client);
  return Object.assign(client, {
    connect: async (params: Dispatcher.ConnectOptions) =>
      await connect(params).catch((error: unknown) => {
        const isCut = error instanceof Error && "code" in error && error.code === "UND_ERR_SOCKET";
        throw isCut ? Object.assign(new Error("cut by the proxy"), { code: PROXY_CUT }) : error;
      }),
  });
}
