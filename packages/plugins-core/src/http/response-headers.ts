import type { HttpResponse } from "./http-response.ts";

/** Joins the values of repeated headers (RFC 9110, 5.3), but for Set-Cookie, whose values hold commas themselves. */
export function joinHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): HttpResponse["headers"] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = ""]) => {
      const values = [value].flat();
      return [name, name === "set-cookie" ? values : values.join(", ")];
    }),
  );
}
