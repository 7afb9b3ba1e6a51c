/** A URL as its text has it (RFC 3986 section 3), not as `URL` writes it: with several hosts, or behind `jdbc:`. */
export interface UrlText {
  readonly scheme: string;
  /** What stands before the last `@`, null where there is none. */
  readonly userinfo: string | null;
  /** From the first slash on, without the query. */
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

const URL_TEXT = /^(?:jdbc:)?([a-z][a-z0-9+.:-]{0,63}):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;

/** A password with a slash, `?` or `#` in it that should have been encoded: drivers of databases take it. */
const LOOSE_USERINFO = /^(?:jdbc:)?[a-z][a-z0-9+.:-]{0,63}:\/\/([^/?#@:\s]*:(?!\d*(?:[/?#]|$))\S+)@[^@]*$/i;

/** Null for what has no `://`. */
export function parseUrl(text: string): UrlText | null {
  const trimmed = text.trim();
  const found = URL_TEXT.exec(trimmed);
  if (found === null) return null;
  const [, scheme = "", authority = "", path = "", query = "", fragment = ""] = found;
  const at = authority.lastIndexOf("@");
  const loose = at < 0 ? (LOOSE_USERINFO.exec(trimmed)?.[1] ?? null) : authority.slice(0, at);
  const isLoose = at < 0 && loose !== null;
  return {
    scheme: scheme.toLowerCase(),
    userinfo: loose,
    path: isLoose ? "" : path,
    query: isLoose ? "" : query,
    fragment: isLoose ? "" : fragment,
  };
}

/** Without percent-encoding; as it is where that is malformed. */
export function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
