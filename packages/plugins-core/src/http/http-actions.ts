import { type Action, defineAction } from "@autokestra/plugin-sdk";
import { getSchema, type HttpRequest, requestSchema } from "./http-request.ts";
import { type HttpResponse, httpResponseSchema } from "./http-response.ts";
import { findCredentials } from "./response-credentials.ts";
import { sendRequest } from "./send-request.ts";

/** `core/http.request`. */
export const requestAction: Action<HttpRequest, HttpResponse> = defineAction({
  description: "Sends an HTTP request. Responses of 400 and above are results; a network error fails the task.",
  input: requestSchema,
  output: httpResponseSchema,
  async run(request, { signal, mask, task }) {
    const response = await sendRequest(request, signal);
    for (const { path, value } of findCredentials(response)) mask(value, `tasks.${task.id}.output.${path}`);
    return response;
  },
});

/** `core/http.get`. */
export const getAction: Action<HttpRequest, HttpResponse> = defineAction({
  ...requestAction,
  description: "The same as core/http.request with the method GET and without a body.",
  input: getSchema,
});
