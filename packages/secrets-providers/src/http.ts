/**
 * Secrets from any server that answers GET with a value.
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
import { createLogin, readToken, type TokenOptions, tokenShape } from "./login.ts";

export interface HttpProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /** `https://config.example/secrets/{name}?env=prod`; `{name}` is the path that is asked for, encoded. */
  readonly url: string;
  /** Sent with every request. A token, if there is one, goes into `Authorization: Bearer` unless that header is here. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Where the value is in the JSON of the answer, as a JSON pointer: `/data/value`. Default: the answer is the value. */
  readonly pointer?: string | undefined;
  /** What statuses mean that this server uses in a way of its own. */
  readonly statuses?: Readonly<Record<string, Failure["status"]>> | undefined;
}

/**
 * Takes secrets from any server that answers GET with a value.
 *
 * @throws AutokestraError `OPTION_INVALID`
 * @example
 * ```ts no-run
 * import { createHttpProvider } from "@autokestra/secrets-providers/http";
 *
 * const url = "https://config.example/secrets/{name}";
 * const provider = createHttpProvider({ url, tokenEnv: "CONFIG_TOKEN", pointer: "/value" });
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
    /** There is nothing that could be asked without the name of a secret. */
    async check() {
      const token = hasToken ? await readToken(options, env) : null;
      return token !== null && "status" in token ? token : { status: "found", secret: {} };
    },
    close: async () => await client.close(),
  };
}

/** Takes a URL apart before a placeholder can be encoded, or change where it leads. */
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

/** RFC 6901. */
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
