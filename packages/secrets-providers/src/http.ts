/**
 * Takes secrets from any server that answers GET with a value.
 *
 * @module
 */
import { AutokestraError, type ExternalSecretProvider, type ProviderAnswer } from "@autokestra/secrets-core";
import { formatJson, isLosslessNumber } from "@autokestra/secrets-core/exact-json";
import { z } from "@autokestra/secrets-core/internal";
import { type Failure, malformed, meaning, quoteLong } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, encodePath, failureOf, readJson } from "./http-call.ts";
import { createLogin } from "./login.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

export interface HttpProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /** The URL, such as `https://config.example/secrets/{name}?env=prod`; `{name}` is the requested path, encoded. */
  readonly url: string;
  /**
   * Headers of every request. A token is sent as `Authorization: Bearer`, unless that header is set here. Default:
   * none.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * A JSON pointer (RFC 6901) to the value in the response, such as `/data/value`. Default: the response is the value.
   */
  readonly pointer?: string | undefined;
  /** The meaning of statuses that the server uses in its own way. Default: none. */
  readonly statuses?: Readonly<Record<string, Failure["status"]>> | undefined;
}

/**
 * Creates a provider for a server that answers GET with a value, or with JSON that contains it. Use it for services
 * that have no provider of their own.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts no-run
 * import { createHttpProvider } from "@autokestra/secrets-providers/http";
 *
 * const url = "https://config.example/secrets/{name}";
 * const provider = createHttpProvider({ url, tokenEnv: "CONFIG_TOKEN", pointer: "/value" });
 * const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
 * const answer = await provider.lookup({ path: "db-password", format: "text" }, limits);
 * if (answer.status !== "found") console.log(answer.status, answer.reason);
 * await provider.close();
 * ```
 */
export function createHttpProvider(options: HttpProviderOptions): ExternalSecretProvider {
  const { id = "http", env = process.env, onCall, headers = {}, pointer, statuses = {} } = options;
  const { address, path: pathTemplate, query } = readTemplate(options.url);
  const client = createHttpClient({ ...options, address, provider: id, env, onCall });
  const hasToken = (options.token ?? options.tokenEnv ?? options.tokenFile) !== undefined;
  const login = createLogin({ logIn: async () => await readToken(options, env) });

  function requestFor(path: string, token?: string): HttpRequest {
    const put = (encode: (text: string) => string) => (text: string) => text.replaceAll("{name}", () => encode(path));
    const asIs = put((text) => text);
    return {
      call: "read",
      path: put(encodePath)(pathTemplate),
      query: new URLSearchParams(query.map(([name, value]): [string, string] => [name, asIs(value)])),
      headers: { accept: "*/*", ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    };
  }

  return {
    id,
    type: "http",
    capabilities: { versions: false, leases: false },
    async lookup({ path }, limits) {
      const send = async (token?: string) => await client.send(requestFor(path, token), limits);
      const response = hasToken ? await login.use(limits, send) : await send();
      if (!("headers" in response)) return response;
      const own = statuses[response.status];
      if (own !== undefined) return meaning(own, `${response.asked}: ${response.status}`);
      return response.status === 200 ? readValue(response, pointer) : failureOf(response);
    },
    /** Without the name of a secret there is nothing to ask, so only the token is checked. */
    async check() {
      const token = hasToken ? await readToken(options, env) : null;
      return token !== null && "status" in token ? token : { status: "found", secret: {} };
    },
    close: async () => await client.close(),
  };
}

/** Splits the URL before `{name}` is replaced, so that a name cannot change the address. */
function readTemplate(url: string): Pick<HttpRequest, "path"> & { address: string; query: [string, string][] } {
  const [, address = "", path = "", query = ""] = /^(https?:\/\/[^/?#{}]+)([^?#]*)\??([^#]*)$/.exec(url) ?? [];
  if (address === "" || !url.includes("{name}")) {
    throw new AutokestraError("OPTION_INVALID", "The url of a provider is not a URL with {name} in its path or query", {
      hint: "Write it like https://config.example/secrets/{name}.",
    });
  }
  return { address, path, query: [...new URLSearchParams(query)] };
}

function readValue(response: HttpResponse, pointer: string | undefined): ProviderAnswer {
  const { text, asked, headers } = response;
  if (/^text\/html\b/i.test(String(headers["content-type"] ?? ""))) {
    return malformed(`${asked}: the answer is a page for people`, "Check the url: a proxy or a login page may answer.");
  }
  if (pointer === undefined) {
    return text === "" ? malformed(`${asked}: the answer is empty`) : { status: "found", secret: { value: text } };
  }
  const json = readJson(response, z.unknown());
  if (!("value" in json)) return json;
  const value = followPointer(json.value, pointer);
  if (value === undefined || value === null) return malformed(`${asked}: there is nothing at ${quoteLong(pointer)}`);
  if (typeof value === "string") return { status: "found", secret: { value } };
  return { status: "found", secret: { value: isObject(value) ? value : (formatJson(value) ?? "") } };
}

/** Follows a JSON pointer: RFC 6901. */
function followPointer(document: unknown, pointer: string): unknown {
  const parts = pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return parts.reduce<unknown>((value, part) => {
    const isContainer = typeof value === "object" && value !== null && !isLosslessNumber(value);
    return isContainer && Object.hasOwn(value, part) ? Reflect.get(value, part) : undefined;
  }, document);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}

/** The type `http` of a configuration. */
export const httpProvider: ProviderDefinition = defineProvider({
  type: "http",
  options: z.strictObject({
    ...connectionShape,
    ...tokenShape,
    url: z.string(),
    headers: z.record(z.string(), z.string()).exactOptional(),
    pointer: z.string().regex(/^\//, "must begin with /").exactOptional(),
    statuses: z
      .record(z.string().regex(/^[1-5]\d\d$/), z.enum(["notFound", "denied", "unavailable", "malformed"]))
      .exactOptional(),
  }),
  create: (options, context) => createHttpProvider({ ...options, ...context }),
});
