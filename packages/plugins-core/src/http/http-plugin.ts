import { type Action, defineAction, definePlugin, type Plugin } from "@autokestra/plugin-sdk";
import { getSchema, type HttpRequest, requestSchema } from "./http-request.ts";
import { createNetworkGuard, type NetworkOptions } from "./network-guard.ts";
import { type HttpResponse, httpResponseSchema } from "./response.ts";
import { isCredentialPath } from "./response-credentials.ts";

/** The body is among them only if its content type is that of a form: JSON has numbers of its own. */
function textInputs({ headers }: Readonly<Record<string, unknown>>): readonly string[] {
  const entries = typeof headers === "object" && headers !== null ? Object.entries(headers) : [];
  const isForm = entries.some(
    ([name, value]) => name.toLowerCase() === "content-type" && /x-www-form-urlencoded/i.test(String(value)),
  );
  return ["url", "query", "headers", "auth", "form", ...(isForm ? ["body"] : [])];
}

interface HttpActions {
  readonly request: Action<HttpRequest, HttpResponse>;
  readonly get: Action<HttpRequest, HttpResponse>;
}

export function createHttpActions(options: NetworkOptions): HttpActions {
  const request = defineAction<HttpRequest, HttpResponse>({
    description: "Sends an HTTP request. A status of 400 and above fails the task.",
    input: requestSchema,
    textInputs,
    output: httpResponseSchema,
    isSecretOutput: isCredentialPath,
    async run(input, context) {
      // With undici, which takes longer to load than all else that a run without requests needs.
      const { sendRequest } = await import("./send-request.ts");
      return await sendRequest(input, context, createNetworkGuard(options, context.network));
    },
  });
  const get = defineAction({
    ...request,
    description: "The same as core/http.request with the method GET and without a body.",
    input: getSchema,
  });
  return { request, get };
}

/**
 * Creates the plugin `core/http`, with `core/http.request` and `core/http.get`. Use it instead of {@link httpPlugin} to
 * keep tasks away from private networks.
 *
 * @param options where requests may go. Default: anywhere but to link-local addresses and metadata services of clouds
 * @example
 * ```ts
 * import { createHttpPlugin } from "@autokestra/plugins-core";
 *
 * const plugin = createHttpPlugin({ privateNetworks: "deny", allowHosts: ["*.corp.example", "build.example:8080"] });
 * console.log([...plugin.actions.keys()]); // [ 'core/http.request', 'core/http.get' ]
 * ```
 */
export function createHttpPlugin(options: NetworkOptions): Plugin {
  return definePlugin({ name: "core/http", actions: { ...createHttpActions(options) } });
}

/** The plugin `core/http`, with `core/http.request` and `core/http.get`. */
export const httpPlugin: Plugin = createHttpPlugin({});
