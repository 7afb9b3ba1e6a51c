import { type Cookie, parseCookie } from "undici";

/** More cookies of one origin are dropped, the oldest first. */
const MAX_COOKIES = 50;

interface KeptCookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** The time when it ends, in milliseconds; Infinity if it does not end before the task. */
  readonly expires: number;
}

/**
 * The cookies that one origin sets during a task. They are sent back to this origin only, whatever their `Domain` says:
 * a hop to another origin begins with an empty jar.
 */
export class CookieJar {
  #cookies: readonly KeptCookie[] = [];

  /** @param headers the values of Set-Cookie in a response for `url` */
  keep(headers: readonly string[], url: URL): void {
    for (const header of headers) {
      const cookie = parseCookie(header);
      if (cookie !== null && isFor(cookie, url)) this.#replace(toKept(cookie, url));
    }
  }

  /** Returns the Cookie header for a request; undefined if there is nothing to send. */
  header(url: URL, given: string | undefined): string | undefined {
    const now = Date.now();
    const sent = this.#cookies.filter(({ path, expires }) => expires > now && matchesPath(url.pathname, path));
    const names = new Set(sent.map(({ name }) => name));
    // A cookie of the server replaces one of the workflow.
    const others = (given ?? "").split(";").filter((pair) => pair.trim() !== "" && !names.has(nameOf(pair)));
    // Longer paths first (RFC 6265, 5.4).
    const own = sent.toSorted((a, b) => b.path.length - a.path.length).map(({ name, value }) => `${name}=${value}`);
    return [...others.map((pair) => pair.trim()), ...own].join("; ") || undefined;
  }

  #replace(cookie: KeptCookie): void {
    const others = this.#cookies.filter(({ name, path }) => name !== cookie.name || path !== cookie.path);
    this.#cookies = [...others, cookie].slice(-MAX_COOKIES);
  }
}

/** False for a cookie that no header can hold, or of a domain that the host does not belong to (RFC 6265, 5.3). */
function isFor({ name: cookie, value, domain }: Cookie, { hostname }: URL): boolean {
  if (cookie === "" || !/^[ -~]*$/.test(cookie + value)) return false;
  const name = domain?.replace(/^\./, "").toLowerCase() ?? "";
  return name === "" || hostname === name || hostname.endsWith(`.${name}`);
}

function toKept({ name, value, path, ...times }: Cookie, url: URL): KeptCookie {
  return {
    name,
    value,
    path: path?.startsWith("/") === true ? path : defaultPath(url.pathname),
    expires: endOf(times),
  };
}

/** Max-Age counts before Expires (RFC 6265, 5.3). */
function endOf({ maxAge, expires = Infinity }: Pick<Cookie, "maxAge" | "expires">): number {
  const end = maxAge === undefined ? Number(expires) : Date.now() + maxAge * 1000;
  return Number.isNaN(end) ? Infinity : end;
}

/** The path up to its last slash (RFC 6265, 5.1.4). */
function defaultPath(pathname: string): string {
  return pathname.slice(0, pathname.lastIndexOf("/")) || "/";
}

function matchesPath(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(path.endsWith("/") ? path : `${path}/`);
}

function nameOf(pair: string): string {
  return pair.split("=", 1)[0]?.trim() ?? "";
}
