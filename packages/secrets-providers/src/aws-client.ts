import type { CallLimits, SecretAnswer, SourceFailure } from "@autokestra/secrets-core";
import type * as Sdk from "@aws-sdk/client-secrets-manager";
import { denied, type Failure, malformed, timedOut } from "./answers.ts";
import { failureOfSdk, nameOf } from "./aws-failure.ts";
import { createRequestHandler, type RequestHandler } from "./aws-request-handler.ts";
import type { ProviderContext } from "./define-provider.ts";
import type { ConnectionOptions } from "./dispatcher.ts";
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
