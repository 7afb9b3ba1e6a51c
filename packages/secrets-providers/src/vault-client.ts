import { AutokestraError, type CallLimits, type SecretAnswer, type SourceFailure } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { type Failure, malformed } from "./answers.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient, type HttpOptions, readJson } from "./http-call.ts";

/** A call to Vault; its path begins below `/v1/`, without a slash. */
interface VaultRequest extends Omit<HttpRequest, "headers"> {
  readonly token?: string | undefined;
  /** For what there is only once, whatever the namespace. Default: false */
  readonly isGlobal?: boolean | undefined;
}

export interface VaultClient {
  /** A mount or a namespace that is not there is `malformed`: it says nothing about a secret. Every other status is a response. */
  send(request: VaultRequest, limits: CallLimits): Promise<HttpResponse | SourceFailure>;
  close: HttpClient["close"];
}

/** @throws AutokestraError `OPTION_INVALID` */
export function createVaultClient(options: HttpOptions & { readonly namespace: string | undefined }): VaultClient {
  const { namespace = "" } = options;
  if (!/^[\x21-\x7e]*$/.test(namespace)) {
    throw new AutokestraError(
      "OPTION_INVALID",
      "The namespace of a Vault provider holds a space or another character",
      {
        hint: "Write it like team-a or team-a/billing.",
      },
    );
  }
  const client = createHttpClient(options);
  return {
    async send({ token, isGlobal = false, ...request }, limits) {
      const headers = {
        // Without it, an agent in between may refuse.
        "x-vault-request": "true",
        ...(namespace !== "" && !isGlobal && { "x-vault-namespace": namespace }),
        ...(token !== undefined && { "x-vault-token": token }),
      };
      const response = await client.send({ ...request, path: `/v1/${request.path}`, headers }, limits);
      return "headers" in response && response.status === 404 ? (misrouted(response) ?? response) : response;
    },
    close: async () => await client.close(),
  };
}

const errorsSchema = z.object({ errors: z.array(z.string()) });

function misrouted(response: HttpResponse): SourceFailure | null {
  const json = readJson(response, errorsSchema);
  const said = "value" in json ? json.value.errors.join() : "";
  if (said.startsWith("no handler for route")) {
    return malformed(`${response.asked}: nothing is mounted there`, "Check the mount and the namespace.");
  }
  return said === "namespace not found" ? malformed(`${response.asked}: there is no such namespace`) : null;
}

const HINTS: Readonly<Record<number, string>> = {
  404: "It is not there, or the token may not see it.",
  472: "It is a standby for disasters: ask the primary.",
  473: "It is a standby: ask the active server.",
  501: "The server is not initialized.",
  503: "The server is sealed, or it is starting.",
};

/**
 * What a response means that is not the wanted one.
 *
 * @param need what a policy must allow for it: `read on "secret/data/db"`
 */
export function vaultFailure(response: HttpResponse, need: string): Failure {
  const refused = `The token is wrong or has run out, or its policies lack ${need}.`;
  return failureOf(response, { hint: response.status === 403 ? refused : HINTS[response.status] });
}

/** Of calls that answer with nothing. */
export function readDone(response: HttpResponse, need: string): SecretAnswer<null> {
  const isSuccess = response.status === 200 || response.status === 204;
  return isSuccess ? { status: "found", secret: null } : vaultFailure(response, need);
}

/** A number of seconds; nothing lasts for more than 300 years. */
export const secondsSchema: z.ZodNumber = z.number().min(0).max(1e10);

/** `secret/` is `secret`. */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
