/** What programs tell the failures of core/http apart by; it becomes `tasks.ID.error.code`. */
export type HttpFailureCode =
  /** The server has answered with a status of 400 or above. */
  | "HTTP_STATUS"
  /** A redirect that is not followed. */
  | "HTTP_REDIRECT"
  /** There is a response, and it cannot be used. */
  | "HTTP_RESPONSE"
  /** There is no whole response: no host, no connection, no TLS, a connection that was cut. */
  | "HTTP_NETWORK"
  | "HTTP_TIMEOUT"
  | "HTTP_CANCELLED";

/** Why a request has failed, in our own words: errors of libraries carry headers and whole URLs. */
export class HttpFailure extends Error {
  override readonly name = "HttpFailure";
  readonly code: HttpFailureCode;

  constructor(code: HttpFailureCode, reason: string) {
    super(reason);
    this.code = code;
  }
}
