export const FORM_TYPE = "application/x-www-form-urlencoded";

/** The type of a content-type header in lower case, without its parameters; "" where there is none. */
export function mediaTypeOf(contentType: string): string {
  return contentType.replace(/;.*$/s, "").trim().toLowerCase();
}

/** The character set that a content-type header names. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset="?([^\s";]+)/i.exec(contentType)?.[1];
}
