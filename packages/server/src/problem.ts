import { STATUS_CODES } from "node:http";
import { AutokestraError, type ErrorCode } from "@autokestra/secrets-core";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** What the HTTP API itself refuses. */
    BODY_INVALID: object;
    BODY_TOO_LARGE: object;
    FORBIDDEN: object;
    HOST_UNKNOWN: object;
    MEDIA_TYPE_UNSUPPORTED: object;
    METHOD_NOT_ALLOWED: { readonly allow: readonly string[] };
    NOT_FOUND: object;
    PRECONDITION_FAILED: object;
    RATE_LIMITED: { readonly retryAfterSeconds: number };
    REQUEST_INVALID: { readonly errors: readonly RequestProblem[] };
    UNAUTHORIZED: object;
    INTERNAL: object;
  }
}

/** One thing that is wrong with a request: where, and what. Never what was sent. */
interface RequestProblem {
  /** `body.name`, `querystring.limit` */
  readonly path: string;
  readonly message: string;
}

/** The body of every error: RFC 9457, with our `code`. */
export interface Problem {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  /** A sentence for people. */
  readonly detail: string;
  readonly code: ErrorCode;
  readonly requestId: string;
  readonly errors?: readonly RequestProblem[];
}

/** The status of each code. Other codes are 500. */
const STATUSES: Partial<Readonly<Record<ErrorCode, number>>> = {
  NAME_INVALID: 400,
  VALUE_EMPTY: 400,
  VALUE_INVALID: 400,
  OPTION_INVALID: 400,
  FIELD_NOT_FOUND: 400,
  SECRET_EXISTS: 400,
  INPUT_INVALID: 400,
  TASK_NOT_FOUND: 400,
  WORKFLOW_INVALID: 400,
  BODY_INVALID: 400,
  REQUEST_INVALID: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  SECRET_NOT_FOUND: 404,
  SECRET_DELETED: 404,
  VERSION_NOT_FOUND: 404,
  NOT_FOUND: 404,
  RUN_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  VERSION_CONFLICT: 409,
  WORKFLOW_DISABLED: 409,
  RUN_LEFT_OUT: 409,
  RUN_ENDED: 409,
  RUN_ACTIVE: 409,
  RUN_NOT_RESUMABLE: 409,
  HEADER_CHANGED: 409,
  DATA_KEY_IN_USE: 409,
  PRECONDITION_FAILED: 412,
  BODY_TOO_LARGE: 413,
  MEDIA_TYPE_UNSUPPORTED: 415,
  HOST_UNKNOWN: 421,
  IDEMPOTENCY_KEY_REUSED: 422,
  RATE_LIMITED: 429,
  QUEUE_FULL: 429,
  STORE_UNAVAILABLE: 503,
  ACCESS_UNAVAILABLE: 503,
  AUDIT_UNAVAILABLE: 503,
  HISTORY_UNAVAILABLE: 503,
  SHUTTING_DOWN: 503,
};

/** What is said of a failure that is not the client's: no path, and nothing of the error inside. */
const SENTENCES: Partial<Readonly<Record<ErrorCode, string>>> = {
  KEY_MISSING: "The server has no key for its secrets",
  KEY_WRONG: "The key of the server is not the key of its secrets",
  INTEGRITY_FAILED: "The record was changed outside of autokestra",
  STORE_CORRUPT: "The secrets cannot be read: their store is damaged",
  STORE_UNAVAILABLE: "The secrets cannot be reached at the moment",
  ACCESS_UNAVAILABLE: "The tokens cannot be read at the moment",
  HISTORY_UNAVAILABLE: "The runs cannot be read or recorded at the moment",
  SHUTTING_DOWN: "The server is shutting down and starts no more runs",
  AUDIT_UNAVAILABLE: "The audit log cannot be written, so nothing is given out or changed",
};

const UNEXPECTED = "The request failed because of a defect or a failure of the server";

/** Errors of fastify that a client causes. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [code: ErrorCode, detail: string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ["MEDIA_TYPE_UNSUPPORTED", "The body must be application/json"],
  FST_ERR_CTP_BODY_TOO_LARGE: ["BODY_TOO_LARGE", "The body is larger than 1 MiB"],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ["BODY_INVALID", "The body is not as long as its Content-Length"],
  FST_ERR_CTP_EMPTY_JSON_BODY: ["BODY_INVALID", "The body is empty"],
  FST_ERR_BAD_URL: ["REQUEST_INVALID", "The path is not a valid URL"],
  FST_ERR_MAX_PARAM_LENGTH: ["NOT_FOUND", "There is nothing at this path"],
};

/** An error of ours for whatever was thrown. */
export function toKnownError(error: unknown): AutokestraError {
  if (error instanceof AutokestraError) return error;
  if (!(error instanceof Error)) return new AutokestraError("INTERNAL", UNEXPECTED);
  if ("validation" in error && Array.isArray(error.validation)) return requestInvalid(error.validation, error);
  const known = "code" in error ? FRAMEWORK_ERRORS[String(error.code)] : undefined;
  return known === undefined ? new AutokestraError("INTERNAL", UNEXPECTED) : new AutokestraError(...known);
}

/** What zod says, through fastify. It names keys and types, and repeats no value. */
function requestInvalid(issues: readonly unknown[], error: object): AutokestraError {
  const context = "validationContext" in error ? String(error.validationContext) : "request";
  const errors = issues.map((issue): RequestProblem => {
    const { instancePath = "", message = "is invalid" } = issue as { instancePath?: string; message?: string };
    return { path: `${context}${instancePath.replaceAll("/", ".")}`.replace(/\.$/, ""), message };
  });
  const first = errors[0] === undefined ? "it is invalid" : `${errors[0].path}: ${errors[0].message}`;
  return new AutokestraError("REQUEST_INVALID", `The request is invalid: ${first}`, { details: { errors } });
}

/** @param message what is wrong with a parameter, behind its name */
export function invalidQuery(key: string, message: string): AutokestraError {
  const errors = [{ path: `querystring.${key}`, message }];
  return new AutokestraError("REQUEST_INVALID", `The request is invalid: ${key} ${message}`, { details: { errors } });
}

/** The status for an error. */
export function statusOf({ code }: AutokestraError): number {
  return STATUSES[code] ?? 500;
}

/** The public part of an error. */
export function toProblem(error: AutokestraError, requestId: string): Problem {
  const status = statusOf(error);
  const detail = status < 500 ? error.message : (SENTENCES[error.code] ?? UNEXPECTED);
  const { errors } = error.details as Partial<Pick<Problem, "errors">>;
  const title = STATUS_CODES[status] ?? "Error";
  const problem = { type: "about:blank", title, status, detail, code: error.code, requestId } as const;
  return errors === undefined ? problem : { ...problem, errors };
}

/** Headers that belong to an error. */
export function headersOf(error: AutokestraError): Readonly<Record<string, string>> {
  const { allow, retryAfterSeconds } = error.details as {
    readonly allow?: readonly string[];
    readonly retryAfterSeconds?: number;
  };
  return {
    "cache-control": "no-store",
    ...(error.code === "UNAUTHORIZED" && { "www-authenticate": 'Bearer realm="autokestra"' }),
    ...(allow !== undefined && { allow: allow.join(", ") }),
    ...(retryAfterSeconds !== undefined && { "retry-after": String(retryAfterSeconds) }),
  };
}
