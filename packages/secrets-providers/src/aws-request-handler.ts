import { CallFailed, isThrottled } from "./aws-failure.ts";
import type { ProviderContext } from "./define-provider.ts";
import type { ConnectionOptions } from "./dispatcher.ts";
import { createHttpClient, failureOf, type HttpClient } from "./http-call.ts";

interface RequestHandlerOptions extends Pick<ConnectionOptions, "caFile" | "allowHttp">, Partial<ProviderContext> {
  readonly id: string;
  readonly endpoint?: string | undefined;
}

/** For calls of the SDK that have no limit of ours: those of a login. */
const LOGIN_MS = 5000;

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

export interface RequestHandler {
  handle(
    request: SdkRequest,
    options?: { readonly abortSignal?: unknown; readonly requestTimeout?: number },
  ): Promise<{ response: SdkResponse }>;
  close(): Promise<void>;
}

/** Sends what the SDK has signed, for the services that it logs in with too: with our limits, retries, proxies and certificates. */
export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
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
