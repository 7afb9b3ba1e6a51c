import type { Problem } from "@autokestra/server/answers";
import { type Query, searchOf } from "./router.ts";

/** A refusal or a failure, with a sentence for people. */
export class ApiError extends Error {
  /** What programs go by: `SECRET_NOT_FOUND`. `OFFLINE`: the server has not answered. */
  readonly code: string;
  readonly status: number;
  /** Finds more about it in the log of the server; null if the server has not answered. */
  readonly requestId: string | null;

  constructor(problem: Pick<Problem, "detail" | "status"> & { readonly code: string; readonly requestId?: string }) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.requestId = problem.requestId ?? null;
  }
}

interface CallOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the call: of a view that is gone. */
  readonly signal?: AbortSignal;
}

interface Answer<T> {
  readonly body: T;
  readonly headers: Headers;
}

/** Calls the API with one token, which no other code can read. */
export interface Api {
  /**
   * @param path from `/api` on, built with {@link pathOf} if it has variable parts
   * @throws ApiError
   */
  call<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, options?: CallOptions): Promise<Answer<T>>;
  /** The body of a GET. */
  get<T>(path: string, options?: CallOptions): Promise<T>;
  /** An answer whose body is read while it comes. */
  open(path: string, options?: CallOptions): Promise<Response>;
}

/** @param onUnauthorized called when the token is no longer accepted */
export function createApi(token: string, onUnauthorized: () => void): Api {
  async function request(method: string, path: string, options: CallOptions): Promise<Response> {
    const { query = {}, body, headers, signal } = options;
    const response = await fetch(`/api${path}${searchOf(query)}`, {
      method,
      headers: {
        ...headers,
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      referrerPolicy: "no-referrer",
    }).catch((error: unknown) => {
      throw signal?.aborted === true ? error : OFFLINE;
    });
    if (response.ok) return response;
    const error = await readProblem(response);
    if (error.status === 401) onUnauthorized();
    throw error;
  }

  async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<Answer<T>> {
    const response = await request(method, path, options);
    return { body: (await response.json()) as T, headers: response.headers };
  }

  return {
    call,
    get: async <T>(path: string, options?: CallOptions) => (await call<T>("GET", path, options)).body,
    open: async (path, options = {}) => await request("GET", path, options),
  };
}

/** A path whose parts are encoded: pathOf\`/secrets/${id}\`. */
export function pathOf(texts: TemplateStringsArray, ...parts: readonly (string | number)[]): string {
  return String.raw({ raw: texts }, ...parts.map((part) => encodeURIComponent(part)));
}

/** The message for anything that was thrown. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError({
    status: 0,
    code: "UNEXPECTED",
    detail: error instanceof Error ? error.message : String(error),
  });
}

const OFFLINE = new ApiError({
  status: 0,
  code: "OFFLINE",
  detail: "The server does not answer. Is it still running, and is this computer online?",
});

/** What something in between has answered is no problem of ours. */
async function readProblem(response: Response): Promise<ApiError> {
  const { status, statusText, headers } = response;
  const isProblem = headers.get("content-type")?.startsWith("application/problem+json") === true;
  if (isProblem) return new ApiError((await response.json()) as Problem);
  return new ApiError({ status, code: "UNEXPECTED", detail: `The answer was ${status} ${statusText}` });
}
