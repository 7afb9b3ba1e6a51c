import { type Action, defineAction, definePlugin, type Plugin } from "@autokestra/plugin-sdk";
import { getSchema, type HttpRequest, requestSchema } from "./http-request.ts";
import { type HttpResponse, httpResponseSchema } from "./response.ts";
import { findCredentials, isCredentialPath } from "./response-credentials.ts";
import { sendRequest } from "./send-request.ts";

/** The body is among them only if its content type is that of a form: JSON has numbers of its own. */
function textInputs({ headers }: Readonly<Record<string, unknown>>): readonly string[] {
  const entries = typeof headers === "object" && headers !== null ? Object.entries(headers) : [];
  const isForm = entries.some(
    ([name, value]) => name.toLowerCase() === "content-type" && /x-www-form-urlencoded/i.test(String(value)),
  );
  return ["url", "query", "headers", "auth", "form", ...(isForm ? ["body"] : [])];
}

/** `core/http.request`: sends an HTTP request. */
export const requestAction: Action<HttpRequest, HttpResponse> = defineAction({
  description: "Sends an HTTP request. A status of 400 and above fails the task.",
  input: requestSchema,
  textInputs,
  output: httpResponseSchema,
  isSecretOutput: isCredentialPath,
  async run(request, { signal, mask, task }) {
    const { response, failure } = await sendRequest(request, signal);
    for (const { path, value } of findCredentials(response)) mask(value, `tasks.${task.id}.output.${path}`);
    if (failure !== null) throw failure;
    return response;
  },
});

/** `core/http.get`: the same as `core/http.request`, for GET only. */
export const getAction: Action<HttpRequest, HttpResponse> = defineAction({
  ...requestAction,
  description: "The same as core/http.request with the method GET and without a body.",
  input: getSchema,
});

/** The plugin `core/http`, with `core/http.request` and `core/http.get`. */
export const httpPlugin: Plugin = definePlugin({
  name: "core/http",
  actions: { request: requestAction, get: getAction },
});
