/**
 * Takes secrets from Doppler.
 *
 * @module
 */
import {
  AutokestraError,
  type CallLimits,
  type ExternalSecretProvider,
  type ProviderAnswer,
} from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { type Failure, malformed, notFound, quoteLong } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, readJson } from "./http-call.ts";
import { createLogin, sendSignedIn } from "./login.ts";
import type { TextCipher } from "./provider-source.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

export interface DopplerProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /** Default: `https://api.doppler.com`. */
  readonly address?: string | undefined;
  /** The project. Default: that of the service token. */
  readonly project?: string | undefined;
  /** The config, such as `prd`. Give it together with `project`. */
  readonly config?: string | undefined;
}

/**
 * Creates a provider for one config of Doppler. A path is the name of a secret; several names are looked up in one
 * call. With a `cipher`, it keeps answers encrypted, and does not transfer them again while they are unchanged.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { createDopplerProvider } from "@autokestra/secrets-providers/doppler";
 *
 * const provider = createDopplerProvider({ tokenEnv: "DOPPLER_TOKEN" });
 * ```
 */
export function createDopplerProvider(options: DopplerProviderOptions): ExternalSecretProvider {
  const { id = "doppler", env = process.env, onCall, project, config, cipher } = options;
  if ((project === undefined) !== (config === undefined)) {
    throw new AutokestraError("OPTION_INVALID", "The provider of Doppler has only one of project and config", {
      hint: "Give it both, or neither with a service token, which belongs to one config.",
    });
  }
  const address = options.address ?? "https://api.doppler.com";
  const client = createHttpClient({ ...options, address, provider: id, env, onCall });
  const login = createLogin({ logIn: async () => await readToken(options, env) });
  const place = project === undefined || config === undefined ? {} : { project, config };
  const send: Send = async (request, limits) => await sendSignedIn(login, client, request, limits);
  const downloads = new Downloads(send, place, cipher);

  async function lookupMany(paths: readonly string[], limits: CallLimits): Promise<readonly ProviderAnswer[]> {
    const names = [...new Set(paths.filter((path) => NAME.test(path)))];
    const answers = new Map<string, Download>();
    for (let start = 0; start < names.length; start += MAX_NAMES) {
      const some = names.slice(start, start + MAX_NAMES);
      const answer = await downloads.get(some, limits);
      for (const name of some) answers.set(name, answer);
    }
    return paths.map((path) => {
      const answer = answers.get(path);
      if (answer === undefined) return notFound(`Doppler has no names such as ${quoteLong(path) || "an empty one"}.`);
      return "value" in answer ? pick(answer.value, path) : answer;
    });
  }

  return {
    id,
    type: "doppler",
    capabilities: { versions: false, leases: false },
    async lookup({ path }, limits) {
      const [answer] = await lookupMany([path], limits);
      return answer ?? malformed("it did not answer");
    },
    lookupMany: async (requests, limits) =>
      await lookupMany(
        requests.map(({ path }) => path),
        limits,
      ),
    async check(limits) {
      const response = await send({ call: "check", path: "/v3/me" }, limits);
      if (!("headers" in response)) return response;
      if (response.status !== 200) return dopplerFailure(response);
      const json = readJson(response, z.object({ name: z.string().optional() }));
      return "value" in json ? { status: "found", secret: { account: json.value.name } } : json;
    },
    close: async () => await client.close(),
  };
}

/** An earlier answer, which is used again if it is unchanged. */
interface Kept {
  readonly etag: string;
  /** The encrypted answer. */
  readonly text: string;
}

type Download = { readonly value: Readonly<Record<string, unknown>> } | Failure;

type Send = (request: HttpRequest, limits: CallLimits) => Promise<HttpResponse | Failure>;

/** The maximum number of answers that are kept. */
const MAX_KEPT = 100;

/** Downloads secrets by their names. With a cipher, it keeps the answers and does not transfer them again while they are unchanged. */
class Downloads {
  readonly #send: Send;
  readonly #place: Readonly<Record<string, string>>;
  readonly #cipher: TextCipher | undefined;
  /** By the names, sorted and with commas between them. */
  readonly #kept = new Map<string, Kept>();

  constructor(send: Send, place: Readonly<Record<string, string>>, cipher: TextCipher | undefined) {
    this.#send = send;
    this.#place = place;
    this.#cipher = cipher;
  }

  async get(names: readonly string[], limits: CallLimits): Promise<Download> {
    const cipher = this.#cipher;
    const secrets = names.toSorted().join(",");
    const before = this.#kept.get(secrets);
    const query = new URLSearchParams({ ...this.#place, format: "json", secrets });
    const headers = before === undefined ? {} : { "if-none-match": before.etag };
    const request = { call: "read", path: "/v3/configs/config/secrets/download", query, headers };
    const response = await this.#send(request, limits);
    if (!("headers" in response)) return response;
    if (cipher === undefined) return readDownload(response);
    if (response.status === 304 && before !== undefined) {
      return readDownload({ ...response, status: 200, text: await cipher.decrypt(before.text) });
    }
    const json = readDownload(response);
    const { etag } = response.headers;
    this.#kept.delete(secrets);
    if ("value" in json && typeof etag === "string") {
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined && this.#kept.size >= MAX_KEPT) this.#kept.delete(oldest);
      this.#kept.set(secrets, { etag, text: await cipher.encrypt(response.text) });
    }
    return json;
  }
}

/** The maximum number of names in one request. */
const MAX_NAMES = 100;
/** What a name must match, because names are sent in a list with commas. */
const NAME = /^\w+$/;

function readDownload(response: HttpResponse): Download {
  return response.status === 200 ? readJson(response, z.record(z.string(), z.unknown())) : dopplerFailure(response);
}

function pick(secrets: Readonly<Record<string, unknown>>, name: string): ProviderAnswer {
  if (!Object.hasOwn(secrets, name)) return notFound(`There is no secret ${quoteLong(name)} in the config.`);
  const value = secrets[name];
  if (typeof value !== "string") return malformed(`the secret ${quoteLong(name)} is not a text`);
  return { status: "found", secret: { value } };
}

const HINTS: Readonly<Record<number, string>> = {
  401: "The token is wrong, expired or revoked.",
  403: "Give the token access to the config.",
};

function dopplerFailure(response: HttpResponse): Failure {
  // A 404 means that the config does not exist, which says nothing about a secret. A missing secret is not a 404.
  if (response.status === 404 && "value" in readJson(response, z.object({ success: z.literal(false) }))) {
    return malformed(`${response.asked}: 404, there is no such project or config`, "Check project and config.");
  }
  return failureOf(response, { hint: HINTS[response.status] });
}

/** The type `doppler` of a configuration. */
export const dopplerProvider: ProviderDefinition = defineProvider({
  type: "doppler",
  options: z.strictObject({
    ...connectionShape,
    ...tokenShape,
    address: z.string().exactOptional(),
    project: z.string().min(1).exactOptional(),
    config: z.string().min(1).exactOptional(),
  }),
  create: (options, context) => createDopplerProvider({ ...options, ...context }),
});
