/** One request on the wire. A redirect leads from one hop to the next. */
export interface Hop {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  /** Without user name and password. */
  readonly url: URL;
  /** Scheme, host and port as they were written, for messages: a masker does not know what the URL parser makes of them. */
  readonly origin: string;
  /** Everything the workflow gave, auth included, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}
