import { AutokestraError, type CallLimits, type SecretAnswer, type SourceFailure } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { type Failure, malformed, unavailable } from "./answers.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient, type HttpOptions, readJson } from "./http-call.ts";

/** A request to Vault. Its path is relative to `/v1/`. */
interface VaultRequest extends Omit<HttpRequest, "headers"> {
  readonly token?: string | undefined;
  /** True for an endpoint that exists only in the root namespace. Default: false. */
  readonly isGlobal?: boolean | undefined;
}

export interface VaultClient {
  /**
   * Sends a request. A mount or namespace that does not exist is `malformed`, because it says nothing about a secret.
   */
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
        // A Vault agent can be configured to require it.
        "x-vault-request": "true",
        ...(namespace !== "" && !isGlobal && { "x-vault-namespace": namespace }),
        ...(token !== undefined && { "x-vault-token": token }),
      };
      const path = `/v1/${request.path}`;
      const response = await client.send({ ...request, path, headers, isThrottled: isUpgrading }, limits);
      return "headers" in response && response.status === 404 ? (misrouted(response) ?? response) : response;
    },
    close: async () => await client.close(),
  };
}

const errorsSchema = z.object({ errors: z.array(z.string()) });

function errorsOf(response: HttpResponse): string {
  const json = readJson(response, errorsSchema);
  return "value" in json ? json.value.errors.join() : "";
}

/** For a moment after an engine was mounted or got versions, Vault says so with 400. */
function isUpgrading(response: HttpResponse): boolean {
  return response.status === 400 && errorsOf(response).startsWith("Upgrading from non-versioned to versioned data");
}

function misrouted(response: HttpResponse): SourceFailure | null {
  const said = errorsOf(response);
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
 * Returns what a response other than the wanted one means.
 *
 * @param need what a policy must allow: `read on "secret/data/db"`
 */
export function vaultFailure(response: HttpResponse, need: string): Failure {
  if (isUpgrading(response)) {
    return unavailable(
      `${response.asked}: 400`,
      "The engine was mounted just now, or its data is being given versions.",
    );
  }
  const refused = `The token is wrong or has run out, or its policies lack ${need}.`;
  return failureOf(response, { hint: response.status === 403 ? refused : HINTS[response.status] });
}

/** Returns the answer of a call without a result. */
export function readDone(response: HttpResponse, need: string): SecretAnswer<null> {
  const isSuccess = response.status === 200 || response.status === 204;
  return isSuccess ? { status: "found", secret: null } : vaultFailure(response, need);
}

/** A number of seconds, up to about 300 years. */
export const secondsSchema: z.ZodNumber = z.number().min(0).max(1e10);

/** Removes slashes at both ends: `secret/` becomes `secret`. */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
