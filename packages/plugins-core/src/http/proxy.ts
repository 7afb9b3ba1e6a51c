import { isIPv4 } from "node:net";
import { allowsHost } from "@autokestra/plugin-sdk";
import { HttpFailure } from "./http-failure.ts";
import { parseUrl } from "./parse-url.ts";

/** The proxy for a request. */
export interface HttpProxy {
  /** The variable that names it. */
  readonly variable: string;
  /** Its URL, without user name and password. */
  readonly uri: string;
  /** The Proxy-Authorization header; undefined if there is no user name. */
  readonly authorization: string | undefined;
  /** What must be masked of it. */
  readonly secrets: readonly string[];
}

/** The code of the error of a tunnel that the proxy has closed. */
export const PROXY_CUT = "ERR_PROXY";

/**
 * Finds the proxy for a URL in `HTTPS_PROXY` or `HTTP_PROXY`, unless `NO_PROXY` names its host. Requests to this machine
 * never use one. Variables in lower case come first.
 *
 * @throws HttpFailure `HTTP_NETWORK` if it is not the URL of a proxy
 */
export function findProxy(url: URL, env: NodeJS.ProcessEnv): HttpProxy | null {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || "";
  const variable = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const text = read(variable);
  if (text === "" || isThisMachine(url) || isExempt(url, read("NO_PROXY"))) return null;
  // Without a scheme, as curl accepts it.
  const written = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const proxy = parseUrl(written);
  const isHttp = proxy?.protocol === "http:" || proxy?.protocol === "https:";
  const credentials = proxy === null ? null : decodeCredentials(proxy);
  if (proxy === null || !isHttp || credentials === null) {
    throw new HttpFailure("HTTP_NETWORK", `the proxy in ${variable} is not an http or https URL`);
  }
  const { username, password } = credentials;
  if (username === "") return { variable, uri: proxy.origin, authorization: undefined, secrets: [] };
  const both = `${username}:${password}`;
  return {
    variable,
    uri: proxy.origin,
    authorization: `Basic ${Buffer.from(both).toString("base64")}`,
    secrets: password === "" ? [] : [password, both],
  };
}

function isThisMachine({ hostname }: URL): boolean {
  return (
    /^(?:.+\.)?localhost\.?$/.test(hostname) ||
    hostname === "[::1]" ||
    (isIPv4(hostname) && hostname.startsWith("127."))
  );
}

/** A name stands for its subdomains too, with or without a dot or `*.` before it. */
function isExempt(url: URL, noProxy: string): boolean {
  const names = noProxy.split(/[\s,]+/).map((name) => name.replace(/^\*?\./, ""));
  return names.some((name) => name === "*" || allowsHost([name, `*.${name}`], url));
}

function decodeCredentials({ username, password }: URL): { username: string; password: string } | null {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return null;
  }
}
