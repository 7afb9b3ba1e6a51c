import { AutokestraError, type CallLimits, type SecretAnswer, type SourceFailure } from "@autokestra/secrets-core";
import type * as Sdk from "@aws-sdk/client-secrets-manager";
import { denied, type Failure, malformed, notFound, quoteLong, timedOut, unavailable } from "./answers.ts";
import type { ProviderContext } from "./define-provider.ts";
import type { ConnectionOptions } from "./dispatcher.ts";
import type { HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, type HttpClient } from "./http-call.ts";
import { untilAborted } from "./limits.ts";
import { createLogin, type LoginToken } from "./login.ts";
import { loadPeer } from "./peers.ts";

export interface AwsSecretsManagerProviderOptions
  extends Pick<ConnectionOptions, "caFile" | "allowHttp">,
    Partial<ProviderContext> {
  /** `eu-central-1`. Default: `AWS_REGION`, else what the profile says */
  readonly region?: string | undefined;
  /** One of `~/.aws/config`. Default: `AWS_PROFILE`, else `default` */
  readonly profile?: string | undefined;
  /** Another server than that of the region, such as a VPC endpoint. Default: `AWS_ENDPOINT_URL_SECRETS_MANAGER`, else that of the region */
  readonly endpoint?: string | undefined;
}

/** For calls of the SDK that have no limit of ours: those of a login. */
const LOGIN_MS = 5000;

/** The limits of a call, as the SDK takes them. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
}

/** Calls Secrets Manager through the SDK of AWS. */
export interface AwsClient {
  /** Runs one call of the SDK, with credentials that are good. @param asked names it in messages */
  call<Secret>(
    asked: string,
    limits: CallLimits,
    run: (aws: OpenedSdk, options: CallOptions) => Promise<SecretAnswer<Secret>>,
  ): Promise<SecretAnswer<Secret>>;
  close(): Promise<void>;
}

/** @throws AutokestraError `OPTION_INVALID` */
export function createAwsClient(options: AwsSecretsManagerProviderOptions & { readonly id: string }): AwsClient {
  const connections = createRequestHandler(options);
  let opened: Promise<OpenedSdk | SourceFailure> | null = null;

  /** Loaded with the first call: it takes time. */
  async function getSdk(): Promise<OpenedSdk | SourceFailure> {
    opened ??= openSdk(options, connections);
    return await opened;
  }

  const login = createLogin({
    async logIn(limits): Promise<LoginToken | Failure> {
      const aws = await getSdk();
      return "reason" in aws ? aws : await logIn(aws.client, limits);
    },
  });

  return {
    async call<Secret>(
      asked: string,
      limits: CallLimits,
      run: (aws: OpenedSdk, options: CallOptions) => Promise<SecretAnswer<Secret>>,
    ) {
      return await login.use<SecretAnswer<Secret>>(limits, async () => {
        const aws = await getSdk();
        if ("reason" in aws) return aws;
        try {
          return await run(aws, { abortSignal: limits.signal, requestTimeout: limits.deadline - Date.now() });
        } catch (error) {
          return limits.signal.aborted ? timedOut(`${asked}: no complete answer in time`) : failureOfSdk(asked, error);
        }
      });
    },
    async close() {
      const aws = await opened;
      if (aws !== null && "client" in aws) aws.client.destroy();
      await connections.close();
    },
  };
}

export interface OpenedSdk {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.SecretsManagerClient;
}

/** Loads the SDK: beside us, or from the folder of the configuration. */
async function openSdk(
  options: AwsSecretsManagerProviderOptions,
  connections: RequestHandler,
): Promise<OpenedSdk | SourceFailure> {
  const sdk = await loadPeer("@aws-sdk/client-secrets-manager", options.configFolder, {
    besideUs: async () => await import("@aws-sdk/client-secrets-manager"),
    fromFolder: (require) => require("@aws-sdk/client-secrets-manager") as typeof Sdk,
  });
  return "reason" in sdk ? sdk : { sdk, client: createClient(sdk, options, connections) };
}

function createClient(
  sdk: typeof Sdk,
  { region, profile, endpoint }: AwsSecretsManagerProviderOptions,
  requestHandler: RequestHandler,
): Sdk.SecretsManagerClient {
  const ignore = () => undefined;
  return withoutNotice(
    () =>
      new sdk.SecretsManagerClient({
        ...(region !== undefined && { region }),
        ...(profile !== undefined && { profile }),
        ...(endpoint !== undefined && { endpoint }),
        requestHandler,
        // We do that.
        maxAttempts: 1,
        // Without one it warns on the console.
        logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      }),
  );
}

const NOTICE = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";

/** The SDK prints a notice for people who develop with it when a client is made on a Node.js that it will not support for ever. */
function withoutNotice<Client>(create: () => Client): Client {
  const before = process.env[NOTICE];
  process.env[NOTICE] = "true";
  try {
    return create();
  } finally {
    if (before === undefined) delete process.env[NOTICE];
    else process.env[NOTICE] = before;
  }
}

/** Has the SDK find credentials: it keeps them, and renews them before they end. */
async function logIn(client: Sdk.SecretsManagerClient, limits: CallLimits): Promise<LoginToken | Failure> {
  try {
    await client.config.region();
  } catch {
    return malformed("there is no region of AWS", "Configure the region, or set AWS_REGION.");
  }
  try {
    const found = await untilAborted(client.config.credentials(), limits.signal, "AWS: no login in time");
    return "reason" in found ? found : { token: found.accessKeyId, endsAt: found.expiration?.getTime() };
  } catch (error) {
    const name = nameOf(error);
    if (!name.endsWith("ProviderError")) return failureOfSdk("the login to AWS", error);
    const hint =
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or configure a profile; one with SSO may need a new login.";
    return denied(`there are no credentials of AWS that can be used (${name})`, hint);
  }
}

/** What our own client answers is no response for the SDK. */
class CallFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super("the call failed");
    this.failure = failure;
  }
}

interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

interface RequestHandler {
  handle(
    request: SdkRequest,
    options?: { readonly abortSignal?: unknown; readonly requestTimeout?: number },
  ): Promise<{ response: SdkResponse }>;
  close(): Promise<void>;
}

/** Sends what the SDK has signed, for the services that it logs in with too: with our limits, retries, proxies and certificates. */
function createRequestHandler(options: AwsSecretsManagerProviderOptions & { readonly id: string }): RequestHandler {
  const { id, endpoint, caFile, allowHttp, env = process.env, onCall } = options;
  const clients = new Map<string, HttpClient>();

  function clientFor(address: string): HttpClient {
    const client = clients.get(address) ?? createHttpClient({ address, caFile, allowHttp, env, provider: id, onCall });
    clients.set(address, client);
    return client;
  }
  // Checked now, not with the first secret.
  if (endpoint !== undefined) clientFor(endpoint);

  return {
    async handle(request, { abortSignal, requestTimeout = LOGIN_MS } = {}) {
      const { protocol, hostname, port, method, path, query, headers, body } = request;
      const call = /\.(\w+)$/.exec(headers["x-amz-target"] ?? "")?.[1] ?? "login";
      const client = clientFor(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`);
      const response = await client.send(
        {
          call,
          method: method === "GET" ? "GET" : "POST",
          path,
          query: new URLSearchParams(
            Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, String(value ?? "")]),
          ),
          headers,
          body: textOf(body),
          isThrottled,
        },
        {
          signal: abortSignal instanceof AbortSignal ? abortSignal : AbortSignal.timeout(requestTimeout),
          deadline: Date.now() + requestTimeout,
        },
      );
      if (!("headers" in response)) throw new CallFailed(response);
      const { status: statusCode, text } = response;
      // The clients that the SDK logs in with would try again what was tried three times.
      if (call === "login" && (statusCode >= 500 || statusCode === 429)) throw new CallFailed(failureOf(response));
      const known = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
      return { response: { statusCode, headers: Object.fromEntries(known), body: Buffer.from(text) } };
    },
    async close() {
      await Promise.all([...clients.values()].map(async (client) => await client.close()));
    },
  };
}

function textOf(body: unknown): string | undefined {
  if (typeof body === "string") return body;
  // Only this way the SDK does not warn that it will once be no text.
  return body instanceof Uint8Array ? new TextDecoder().decode(body) : undefined;
}

const THROTTLED = /Throttl|TooManyRequests|RequestLimitExceeded|SlowDown/;

/** AWS says so with 400. */
function isThrottled({ status, headers, text }: HttpResponse): boolean {
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
function failureOfSdk(asked: string, error: unknown): Failure {
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
