/**
 * Secrets from AWS Secrets Manager, through the SDK of AWS: it brings profiles, SSO and roles.
 *
 * @module
 */
import {
  AutokestraError,
  type CallLimits,
  type ExternalSecretProvider,
  type ProviderAnswer,
  type ProviderRequest,
  type ProviderStatus,
  type SecretAnswer,
  type SourceFailure,
} from "@autokestra/secrets-core";
import { parseTimestamp, z } from "@autokestra/secrets-core/internal";
import type * as Sdk from "@aws-sdk/client-secrets-manager";
import { bulkhead } from "cockatiel";
import { decodeText, denied, type Failure, malformed, notFound, quoteLong, timedOut, unavailable } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
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

/**
 * Takes secrets from AWS Secrets Manager. Needs the npm package `@aws-sdk/client-secrets-manager`, which reads credentials as all tools of AWS
 * do: from the environment of the process, from profiles, SSO, roles, containers and machines.
 *
 * @throws AutokestraError `OPTION_INVALID`
 * @example
 * ```ts no-run
 * import { createAwsSecretsManagerProvider } from "@autokestra/secrets-providers/aws-secrets-manager";
 *
 * const provider = createAwsSecretsManagerProvider({ region: "eu-central-1", profile: "ci" });
 * const limits = { signal: AbortSignal.timeout(5000), deadline: Date.now() + 5000 };
 * const answer = await provider.lookup({ path: "prod/db", format: "json" }, limits);
 * console.log(answer.status);
 * await provider.close();
 * ```
 */
export function createAwsSecretsManagerProvider(options: AwsSecretsManagerProviderOptions): ExternalSecretProvider {
  const { id = "aws-secrets-manager", configFolder } = options;
  const connections = createRequestHandler({ ...options, id });
  let opened: Promise<OpenedSdk | SourceFailure> | null = null;
  let canBatch = true;
  const slots = bulkhead(MAX_SINGLE_CALLS, Number.POSITIVE_INFINITY);

  /** Loaded with the first call: it takes time. */
  async function openSdk(): Promise<OpenedSdk | SourceFailure> {
    const sdk = await loadPeer("@aws-sdk/client-secrets-manager", configFolder, {
      besideUs: async () => await import("@aws-sdk/client-secrets-manager"),
      fromFolder: (require) => require("@aws-sdk/client-secrets-manager") as typeof Sdk,
    });
    return "reason" in sdk ? sdk : { sdk, client: createClient(sdk, options, connections) };
  }

  async function getSdk(): Promise<OpenedSdk | SourceFailure> {
    opened ??= openSdk();
    return await opened;
  }

  const login = createLogin({
    async logIn(limits): Promise<LoginToken | Failure> {
      const aws = await getSdk();
      return "reason" in aws ? aws : await logIn(aws.client, limits);
    },
  });

  /** Runs one call of the SDK, with credentials that are good. */
  async function call<Secret>(
    asked: string,
    limits: CallLimits,
    run: (aws: OpenedSdk, options: CallOptions) => Promise<SecretAnswer<Secret>>,
  ): Promise<SecretAnswer<Secret>> {
    return await login.use<SecretAnswer<Secret>>(limits, async () => {
      const aws = await getSdk();
      if ("reason" in aws) return aws;
      try {
        return await run(aws, { abortSignal: limits.signal, requestTimeout: limits.deadline - Date.now() });
      } catch (error) {
        return limits.signal.aborted ? timedOut(`${asked}: no complete answer in time`) : failureOfSdk(asked, error);
      }
    });
  }

  async function lookup({ path, version }: ProviderRequest, limits: CallLimits): Promise<ProviderAnswer> {
    const asked = `GetSecretValue ${quoteLong(path)}`;
    return await call(asked, limits, async ({ sdk, client }, callOptions) => {
      const input = { SecretId: path, ...versionOf(version) };
      return readValue(asked, await client.send(new sdk.GetSecretValueCommand(input), callOptions));
    });
  }

  /** The answers by path; one that is not there has to be asked for alone. */
  async function batch(paths: readonly string[], limits: CallLimits): Promise<ReadonlyMap<string, ProviderAnswer>> {
    const asked = "BatchGetSecretValue";
    const answer = await call(asked, limits, async ({ sdk, client }, callOptions) => {
      const output = await client.send(new sdk.BatchGetSecretValueCommand({ SecretIdList: [...paths] }), callOptions);
      return { status: "found", secret: readBatch(output) };
    });
    if (answer.status === "found") return answer.secret;
    // It needs a permission of its own.
    if (answer.status === "denied") canBatch = false;
    return answer.status === "unavailable" ? new Map(paths.map((path) => [path, answer])) : new Map();
  }

  return {
    id,
    type: "aws-secrets-manager",
    capabilities: { versions: true, leases: false },
    lookup,
    async lookupMany(requests, limits) {
      const paths = [...new Set(requests.filter(({ version }) => version === undefined).map(({ path }) => path))];
      const batches = canBatch && paths.length > 1 ? chunksOf(paths, MAX_BATCH) : [];
      const answers = await Promise.all(batches.map(async (chunk) => await batch(chunk, limits)));
      const known = new Map(answers.flatMap((map) => [...map]));
      return await Promise.all(
        requests.map(async (request) => {
          const answer = request.version === undefined ? known.get(request.path) : undefined;
          return answer ?? (await slots.execute(async () => await lookup(request, limits)));
        }),
      );
    },
    /** A permission that is missing says that we are known. */
    async check(limits) {
      return await call<ProviderStatus>("GetRandomPassword", limits, async ({ sdk, client }, callOptions) => {
        await client
          .send(new sdk.GetRandomPasswordCommand({ PasswordLength: 8 }), callOptions)
          .catch((error: unknown) => {
            if (nameOf(error) !== "AccessDeniedException") throw error;
          });
        const { accountId, expiration } = await client.config.credentials();
        const expiresAt = expiration === undefined ? null : parseTimestamp(expiration.toISOString());
        return {
          status: "found",
          secret: { ...(accountId !== undefined && { account: accountId }), ...(expiresAt !== null && { expiresAt }) },
        };
      });
    },
    async close() {
      const aws = await opened;
      if (aws !== null && "client" in aws) aws.client.destroy();
      await connections.close();
    },
  };
}

/** The most that `BatchGetSecretValue` takes. */
const MAX_BATCH = 20;
const MAX_SINGLE_CALLS = 8;
/** For calls of the SDK that have no limit of ours: those of a login. */
const LOGIN_MS = 5000;

interface OpenedSdk {
  readonly sdk: typeof Sdk;
  readonly client: Sdk.SecretsManagerClient;
}

interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly requestTimeout: number;
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

/** An id is a UUID; what else a version can be is a stage: `AWSPREVIOUS`. */
function versionOf(version: string | undefined): { VersionId?: string; VersionStage?: string } {
  if (version === undefined) return {};
  return /^[\da-f-]{32,64}$/i.test(version) ? { VersionId: version } : { VersionStage: version };
}

const valueSchema = z.object({
  SecretString: z.string().optional(),
  SecretBinary: z.instanceof(Uint8Array).optional(),
  VersionId: z.string().optional(),
});

function readValue(asked: string, output: unknown): ProviderAnswer {
  const result = valueSchema.safeParse(output);
  const { SecretString: text, SecretBinary: bytes, VersionId: version } = result.success ? result.data : {};
  if (text === undefined && bytes === undefined) return malformed(`${asked}: the answer has no value`, CHECK_ENDPOINT);
  const value = text ?? decodeText(bytes ?? new Uint8Array());
  if (value === null) return malformed(`${asked}: the value is binary, and not UTF-8 text`);
  return { status: "found", secret: { value, version } };
}

const CHECK_ENDPOINT = "Check the endpoint: a proxy or another server may answer.";

const batchSchema = z.object({
  SecretValues: z.array(z.object({ ARN: z.string().optional(), Name: z.string().optional() }).loose()).optional(),
  Errors: z.array(z.object({ SecretId: z.string(), ErrorCode: z.string(), Message: z.string().optional() })).optional(),
});

function readBatch(output: unknown): ReadonlyMap<string, ProviderAnswer> {
  const result = batchSchema.safeParse(output);
  const { SecretValues: values = [], Errors: errors = [] } = result.success ? result.data : {};
  const answers = new Map<string, ProviderAnswer>();
  for (const value of values) {
    const answer = readValue("BatchGetSecretValue", value);
    for (const id of [value.Name, value.ARN]) if (id !== undefined) answers.set(id, answer);
  }
  for (const { SecretId: id, ErrorCode: code, Message: message = "" } of errors) {
    answers.set(
      id,
      meaningOf(`BatchGetSecretValue ${quoteLong(id)}`, code, message) ??
        malformed(`${quoteLong(id)}: ${quoteLong(code)}`),
    );
  }
  return answers;
}

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
function meaningOf(asked: string, name: string, message: string): Failure | undefined {
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

function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : "";
  return /^\w{1,80}$/.test(name) ? name : "unknown error";
}

function statusOf(error: unknown): number | undefined {
  const metadata: unknown = error instanceof Error ? Reflect.get(error, "$metadata") : undefined;
  const status: unknown =
    typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "httpStatusCode") : undefined;
  return typeof status === "number" ? status : undefined;
}

function chunksOf<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** The type `aws-secrets-manager` of a configuration. */
export const awsSecretsManagerProvider: ProviderDefinition = defineProvider({
  type: "aws-secrets-manager",
  options: z.strictObject({
    caFile: connectionShape.caFile,
    allowHttp: connectionShape.allowHttp,
    region: z.string().min(1).exactOptional(),
    profile: z.string().min(1).exactOptional(),
    endpoint: z.string().exactOptional(),
  }),
  create: (options, context) => createAwsSecretsManagerProvider({ ...options, ...context }),
});
