/** Where an action may connect to. Check it again on each redirect. */
export interface NetworkPolicy {
  /**
   * The hosts that all secrets in the inputs allow: `api.example.com`, `api.example.com:8443`, or `*.example.com` for
   * every name below `example.com`. Without a port, every port of the host. Default: any host. An empty list allows none.
   */
  readonly hosts?: readonly string[] | undefined;
  /** The names of the secrets that limit the hosts, for messages. Default: none is named. */
  readonly secrets?: readonly string[] | undefined;
}

/**
 * Tells whether a list of hosts allows a URL. Letters of any case and the dot at the end of a name make no difference.
 *
 * @param hosts what {@link NetworkPolicy} has as `hosts`; one that is not a host allows nothing
 * @example
 * ```ts
 * import { allowsHost } from "@autokestra/plugin-sdk";
 *
 * console.log(allowsHost(["*.example.com"], new URL("https://api.example.com/v1"))); // true
 * ```
 */
export function allowsHost(hosts: readonly string[], { protocol, hostname, port }: URL): boolean {
  const name = withoutLastDot(hostname);
  const number = port === "" ? DEFAULT_PORTS.get(protocol) : port;
  return hosts.some((host) => {
    const allowed = parseHost(host);
    if (allowed === null || (allowed.port !== undefined && allowed.port !== number)) return false;
    return allowed.name.startsWith("*.") ? name.endsWith(allowed.name.slice(1)) : name === allowed.name;
  });
}

/**
 * Returns the hosts that two lists have in common: those whose URLs {@link allowsHost} allows by each of them.
 *
 * @example
 * ```ts
 * import { intersectHosts } from "@autokestra/plugin-sdk";
 *
 * console.log(intersectHosts(["*.example.com"], ["api.example.com:8443", "example.org"])); // [ 'api.example.com:8443' ]
 * ```
 */
export function intersectHosts(some: readonly string[], others: readonly string[]): readonly string[] {
  return [...new Set(some.flatMap((one) => others.flatMap((other) => intersect(one, other) ?? [])))];
}

function intersect(one: string, other: string): string | null {
  const [a, b] = [parseHost(one), parseHost(other)];
  if (a === null || b === null) return null;
  const port = a.port ?? b.port;
  if (port !== (b.port ?? a.port)) return null;
  const name = isWithin(a.name, b.name) ? a.name : isWithin(b.name, a.name) ? b.name : null;
  return name === null || port === undefined ? name : `${name}:${port}`;
}

/** Tells whether all names that `inner` stands for are among those of `outer`. */
function isWithin(inner: string, outer: string): boolean {
  return inner === outer || (outer.startsWith("*.") && inner.replace(/^\*/, "").endsWith(outer.slice(1)));
}

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ["http:", "80"],
  ["https:", "443"],
]);

const HOST = /^(\[[\da-f:.]+\]|[^:/?#@\\\s[\]]+)(?::(\d+))?$/i;

/** The port is split off first, because a URL drops the default port of its scheme. */
function parseHost(host: string): { readonly name: string; readonly port: string | undefined } | null {
  const [, name = "", port] = HOST.exec(host) ?? [];
  // By the URL parser, so that other spellings of an address and international names are compared as in a URL.
  try {
    return { name: withoutLastDot(new URL(`http://${name}`).hostname), port };
  } catch {
    return null;
  }
}

function withoutLastDot(hostname: string): string {
  return hostname.replace(/\.$/, "");
}
