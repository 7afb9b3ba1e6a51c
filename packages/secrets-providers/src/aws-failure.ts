import { AutokestraError } from "@autokestra/secrets-core";
import { denied, type Failure, malformed, notFound, quoteLong, unavailable } from "./answers.ts";
import type { HttpResponse } from "./exchange.ts";
import { failureOf } from "./http-call.ts";

/** What our own client answers is no response for the SDK. */
export class CallFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super("the call failed");
    this.failure = failure;
  }
}

const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|SlowDown/;

/** AWS says so with 400. */
export function isThrottled({ status, headers, text }: HttpResponse): boolean {
  return status === 400 && THROTTLED.test(String(headers["x-amzn-errortype"] ?? text));
}

export const CHECK_ENDPOINT = "Check the endpoint: a proxy or another server may answer.";

const DENIED =
  /^(AccessDenied|NotAuthorized|DecryptionFailure|ExpiredToken|UnrecognizedClient|InvalidSignature|IncompleteSignature|SignatureDoesNotMatch|InvalidClientTokenId|MissingAuthenticationToken|RequestExpired|RequestTimeTooSkewed|OptInRequired|UnauthorizedException|InvalidGrant)/;

const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^DecryptionFailure/, "The key of KMS cannot be used: the policy needs kms:Decrypt on it."],
  [
    /^(AccessDenied|NotAuthorized)/,
    "The policy needs secretsmanager:GetSecretValue on it, and kms:Decrypt where it has a key of its own.",
  ],
  [/^ExpiredToken/, "The credentials have run out: log in again, or make new ones."],
  [/^(RequestExpired|RequestTimeTooSkewed)/, "Check the clock of this machine."],
];

/** What an error of AWS means by its name; undefined where the status has to say it. */
export function meaningOf(asked: string, name: string, message: string): Failure | undefined {
  if (name.startsWith("ResourceNotFound"))
    return notFound(`${asked}: there is none, or it does not have this version.`);
  // The message is read, and never shown.
  if (/^Invalid(Request|Parameter)/.test(name) && /(marked|scheduled) (for deletion|deleted)/.test(message)) {
    return notFound(`${asked}: it is marked for deletion, and can be restored until then.`);
  }
  const isOutage = THROTTLED.test(name) || name.startsWith("InternalService");
  if (isOutage) return unavailable(`${asked}: ${quoteLong(name)}`);
  if (!DENIED.test(name)) return undefined;
  return denied(
    `${asked}: ${quoteLong(name)}`,
    HINTS.find(([pattern]) => pattern.test(name))?.[1] ?? "Check the credentials.",
  );
}

/** Of an error only its name and its status are used: its message can hold a request id and who we are. */
export function failureOfSdk(asked: string, error: unknown): Failure {
  if (error instanceof CallFailed) return error.failure;
  if (error instanceof AutokestraError) throw error;
  const [name, status] = [nameOf(error), statusOf(error)];
  const message = error instanceof Error ? error.message : "";
  const known = status === undefined ? undefined : meaningOf(asked, name, message);
  if (known !== undefined) return known;
  if (status === undefined || status < 400)
    return malformed(`${asked}: the answer is not one of Secrets Manager (${name})`, CHECK_ENDPOINT);
  return failureOf({ status, asked, headers: {}, text: "" }, name.endsWith("Exception") ? { code: name } : {});
}

export function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  return /^\w{1,80}$/.test(name) ? name : "unknown error";
}

function statusOf(error: unknown): number | undefined {
  const metadata: unknown = error instanceof Error ? Reflect.get(error, "$metadata") : undefined;
  const status: unknown =
    typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "httpStatusCode") : undefined;
  return typeof status === "number" ? status : undefined;
}
