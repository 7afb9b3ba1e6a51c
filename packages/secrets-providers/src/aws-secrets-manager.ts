/**
 * Secrets from AWS Secrets Manager, through the SDK of AWS: it brings profiles, SSO and roles.
 *
 * @module
 */
import type {
  CallLimits,
  ExternalSecretProvider,
  ProviderAnswer,
  ProviderRequest,
  ProviderStatus,
  SecretAnswer,
} from "@autokestra/secrets-core";
import { parseTimestamp, z } from "@autokestra/secrets-core/internal";
import { bulkhead } from "cockatiel";
import { decodeText, malformed, quoteLong } from "./answers.ts";
import {
  type AwsSecretsManagerProviderOptions,
  type CallOptions,
  createAwsClient,
  type OpenedSdk,
} from "./aws-client.ts";
import { CHECK_ENDPOINT, meaningOf, nameOf } from "./aws-failure.ts";
import { defineProvider, type ProviderDefinition } from "./define-provider.ts";
import { connectionShape } from "./dispatcher.ts";

export type { AwsSecretsManagerProviderOptions } from "./aws-client.ts";

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
  const { id = "aws-secrets-manager" } = options;
  const aws = createAwsClient({ ...options, id });
  let canBatch = true;
  const slots = bulkhead(MAX_SINGLE_CALLS, Number.POSITIVE_INFINITY);

  async function lookup({ path, version }: ProviderRequest, limits: CallLimits): Promise<ProviderAnswer> {
    const asked = `GetSecretValue ${quoteLong(path)}`;
    return await aws.call(asked, limits, async ({ sdk, client }, callOptions) => {
      const input = { SecretId: path, ...versionOf(version) };
      return readValue(asked, await client.send(new sdk.GetSecretValueCommand(input), callOptions));
    });
  }

  /** The answers by path; one that is not there has to be asked for alone. */
  async function batch(paths: readonly string[], limits: CallLimits): Promise<ReadonlyMap<string, ProviderAnswer>> {
    const asked = "BatchGetSecretValue";
    const answer = await aws.call(asked, limits, async ({ sdk, client }, callOptions) => {
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
    check: async (limits) => await aws.call("GetRandomPassword", limits, readStatus),
    close: async () => await aws.close(),
  };
}

/** The most that `BatchGetSecretValue` takes. */
const MAX_BATCH = 20;
const MAX_SINGLE_CALLS = 8;

/** A permission that is missing says that we are known. */
async function readStatus({ sdk, client }: OpenedSdk, options: CallOptions): Promise<SecretAnswer<ProviderStatus>> {
  await client.send(new sdk.GetRandomPasswordCommand({ PasswordLength: 8 }), options).catch((error: unknown) => {
    if (nameOf(error) !== "AccessDeniedException") throw error;
  });
  const { accountId, expiration } = await client.config.credentials();
  const expiresAt = expiration === undefined ? null : parseTimestamp(expiration.toISOString());
  return {
    status: "found",
    secret: { ...(accountId !== undefined && { account: accountId }), ...(expiresAt !== null && { expiresAt }) },
  };
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
