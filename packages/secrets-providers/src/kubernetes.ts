/**
 * Takes secrets from a Kubernetes cluster.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { CallLimits, ExternalSecretProvider, ProviderAnswer, SourceFailure } from "@autokestra/secrets-core";
import { errorCode, z } from "@autokestra/secrets-core/internal";
import { decodeText, type Failure, malformed, notFound, quoteLong } from "./answers.ts";
import { defineProvider, type ProviderContext, type ProviderDefinition } from "./define-provider.ts";
import { type ConnectionOptions, connectionShape } from "./dispatcher.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { createHttpClient, failureOf, readJson } from "./http-call.ts";
import { createLogin, sendSignedIn } from "./login.ts";
import { readToken, type TokenOptions, tokenShape } from "./token.ts";

export interface KubernetesProviderOptions
  extends Omit<ConnectionOptions, "address" | "env">,
    TokenOptions,
    Partial<ProviderContext> {
  /**
   * The address of the cluster. Default: the one in which this process runs, with the token and CA of its service
   * account.
   */
  readonly address?: string | undefined;
  /** Default: that of the service account. */
  readonly namespace?: string | undefined;
  /** The folder of the service account. Default: `/var/run/secrets/kubernetes.io/serviceaccount`. */
  readonly serviceAccount?: string | undefined;
}

/** How often the token file is read again, because the cluster replaces the token before it expires. */
const TOKEN_MS = 60_000;

/**
 * Creates a provider for the Secrets of one namespace of a Kubernetes cluster. A path is the name of a Secret; its keys
 * are the fields of the secret.
 *
 * @throws AutokestraError `OPTION_INVALID`
 *
 * @example
 * ```ts
 * import { createKubernetesProvider } from "@autokestra/secrets-providers/kubernetes";
 *
 * const inside = createKubernetesProvider({});
 * const outside = createKubernetesProvider({
 *   address: "https://cluster.example:6443",
 *   caFile: "cluster.crt",
 *   tokenFile: "token",
 *   namespace: "apps",
 * });
 * ```
 */
export function createKubernetesProvider(options: KubernetesProviderOptions): ExternalSecretProvider {
  const { id = "kubernetes", env = process.env, onCall, namespace } = options;
  const { serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount" } = options;
  const { token, tokenEnv, tokenFile, certFile } = options;
  // The token of the service account must be sent only to its own cluster.
  const isInside = options.address === undefined;
  const address = options.address ?? addressInside(env);
  const caFile = options.caFile ?? (isInside ? join(serviceAccount, "ca.crt") : undefined);
  const client = createHttpClient({ ...options, address, caFile, provider: id, env, onCall });
  const given = token ?? tokenEnv ?? tokenFile;
  const place = isInside && given === undefined ? { tokenFile: join(serviceAccount, "token") } : options;
  const hasToken = isInside || given !== undefined || certFile === undefined;
  const login = createLogin({
    async logIn() {
      const read = await readToken(place, env);
      return "token" in read ? { ...read, endsAt: Date.now() + TOKEN_MS } : read;
    },
  });

  async function send(request: HttpRequest, limits: CallLimits): Promise<HttpResponse | Failure> {
    return hasToken ? await sendSignedIn(login, client, request, limits) : await client.send(request, limits);
  }

  return {
    id,
    type: "kubernetes",
    capabilities: { versions: false, leases: false },

    async lookup({ path }, limits) {
      if (!NAME.test(path)) {
        return notFound(`Kubernetes has no names such as ${quoteLong(path) || "an empty one"}.`);
      }
      const where = namespace === undefined ? await readNamespace(serviceAccount) : { value: namespace };
      if (!("value" in where)) return where;
      const request = {
        call: "read",
        path: `/api/v1/namespaces/${encodeURIComponent(where.value)}/secrets/${encodeURIComponent(path)}`,
      };
      const response = await send(request, limits);
      return "headers" in response ? readSecret(response) : response;
    },

    async check(limits) {
      const json = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
      const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
      const response = await send({ call: "check", path, json }, limits);
      if (!("headers" in response)) return response;
      // Kubernetes before 1.28 has no such review, but says so only after it has accepted the login.
      if (response.status === 404 && reasonOf(response) === "NotFound") return { status: "found", secret: {} };
      if (response.status !== 201) return kubernetesFailure(response);
      const review = readJson(response, reviewSchema);
      if (!("value" in review)) return review;
      return { status: "found", secret: { account: review.value.status.userInfo.username } };
    },

    close: async () => await client.close(),
  };
}

/** Returns the address of the cluster, which is in the environment of each pod. */
function addressInside(env: NodeJS.ProcessEnv): string {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (!host) return "https://kubernetes.default.svc";
  return `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** A DNS subdomain, so that a path cannot lead to another resource of the API. */
const NAME = /^(?=.{1,253}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

async function readNamespace(serviceAccount: string): Promise<{ readonly value: string } | SourceFailure> {
  const path = join(serviceAccount, "namespace");
  try {
    return { value: (await readFile(path, "utf8")).trim() };
  } catch (error) {
    const hint = "Give the provider a namespace.";
    return malformed(`${quoteLong(path)} cannot be read (${errorCode(error) || "unknown error"})`, hint);
  }
}

const secretSchema = z.object({
  kind: z.literal("Secret"),
  metadata: z.object({ name: z.string(), resourceVersion: z.string(), deletionTimestamp: z.string().optional() }),
  data: z.record(z.string(), z.string()).nullish(),
});

const reviewSchema = z.object({ status: z.object({ userInfo: z.object({ username: z.string() }) }) });

function readSecret(response: HttpResponse): ProviderAnswer {
  if (response.status !== 200) return kubernetesFailure(response);
  const json = readJson(response, secretSchema);
  if (!("value" in json)) return json;
  const { data, metadata } = json.value;
  if (metadata.deletionTimestamp !== undefined) return notFound(`${response.asked}: it is being deleted.`);
  const entries = Object.entries(data ?? {}).map(([key, text]) => ({ key, text, bytes: Buffer.from(text, "base64") }));
  // Node ignores characters that are not base64.
  const odd = entries.find(({ text, bytes }) => bytes.toString("base64") !== text);
  if (odd !== undefined) return malformed(`${response.asked}: the key ${quoteLong(odd.key)} is not base64`);
  // Skips binary fields, so that a keystore does not make the other fields unusable.
  const fields = entries.flatMap(({ key, bytes }) => {
    const value = decodeText(bytes);
    return value === null ? [] : [[key, value] as const];
  });
  if (fields.length === 0) return malformed(`${response.asked}: it has no key with a text`);
  return { status: "found", secret: { value: Object.fromEntries(fields), version: metadata.resourceVersion } };
}

const HINTS: Readonly<Record<number, string>> = {
  401: "The token is wrong or has expired.",
  403: "Allow the service account to get this Secret.",
  404: "Check the namespace too.",
};

const statusSchema = z.object({ kind: z.literal("Status"), reason: z.string() });

/** Returns the reason that Kubernetes gives, if it is a word. */
function reasonOf(response: HttpResponse): string | undefined {
  const json = readJson(response, statusSchema);
  return "value" in json ? json.value.reason : undefined;
}

function kubernetesFailure(response: HttpResponse): Failure {
  return failureOf(response, { code: reasonOf(response), hint: HINTS[response.status] });
}

/** The type `kubernetes` of a configuration. */
export const kubernetesProvider: ProviderDefinition = defineProvider({
  type: "kubernetes",
  options: z.strictObject({
    ...connectionShape,
    ...tokenShape,
    address: z.string().exactOptional(),
    namespace: z.string().min(1).exactOptional(),
    serviceAccount: z.string().min(1).exactOptional(),
  }),
  create: (options, context) => createKubernetesProvider({ ...options, ...context }),
});
