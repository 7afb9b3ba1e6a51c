import { failClosed } from "../fail-closed.ts";

/** A URL as its text has it (RFC 3986 section 3), not as `URL` writes it: with several hosts, or behind `jdbc:`. */
interface UrlText {
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

const QUOTED = /^\s*(["'])((?!\1).*)\1\s*$/s;
const ARMOUR_WITHOUT_LINES = /^\s*-----BEGIN .*\\n/;
const WEB = /^(?:https?|wss?|ftp):$/;
const DOMAIN = /^(?!.*[.-]{2}|[.-])[\p{L}\p{M}\p{N}.-]{1,253}(?<![.-])$/u;

/** The value that a file of settings or a variable of the environment has between quotes, or with `\\n` for line ends. */
export function rewritten(text: string): readonly string[] {
  const [, quote, inner] = QUOTED.exec(text) ?? [];
  const parsed = quote === '"' ? failClosed<unknown>(null, () => JSON.parse(text)) : null;
  const unfolded = ARMOUR_WITHOUT_LINES.test(text) ? text.replaceAll("\\r", "").replaceAll("\\n", "\n") : null;
  const all = [inner, parsed, unfolded].filter((each) => typeof each === "string");
  return [...new Set(all)];
}

/** Other texts that are the same value to the programs that read it. */
export function spellings(text: string): readonly string[] {
  const composed = ["NFC", "NFD"].map((form) => text.normalize(form));
  return [...rewritten(text), ...composed].filter((each) => each !== text);
}

/**
 * What `URL` and clients make of a URL: the whole, and the path and the query alone where they have a secret part, or where nothing
 * in the URL looks secret but something must be. Of host and scheme alone, nothing.
 */
export function urlSpellings(value: string, secretParts: readonly string[]): readonly string[] {
  const url = /^\s*[a-z][a-z0-9+.-]*:\/\//i.test(value) && URL.canParse(value) ? new URL(value) : null;
  if (url === null) return [];
  const { href, protocol, pathname, search } = url;
  const requests = WEB.test(protocol) ? [pathname + search, pathname, search] : [];
  const isPlain = secretParts.length === 0 && /^\/[^/]+\/./.test(pathname);
  const isSecret = (text: string) =>
    secretParts.some((part) => text.includes(part) || percentDecoded(text).includes(part));
  return [href, ...requests.filter((text) => isPlain || isSecret(text))];
}

/**
 * A value that becomes a name of a host, or a part of one: in lower case, and in ASCII (RFC 5891). A word without a digit is nothing
 * but a word then, so that it counts only where a host stands.
 */
export function hostSpellings(value: string): readonly string[] {
  if (!DOMAIN.test(value) || !/[\p{Lu}\u0080-\uffff]/u.test(value)) return [];
  const lower = value.toLowerCase();
  const host = URL.canParse(`http://${value}`) ? new URL(`http://${value}`).hostname : lower;
  const names = [lower, host].filter((name) => name === lower || name.includes("xn--"));
  return [...new Set(names)].flatMap((name) =>
    /[\d\u0080-\uffff]|xn--/.test(name) ? [name] : HOST_CONTEXTS.map(([before, after]) => before + name + after),
  );
}

/** In a URL, behind the name of a user, between dots, and as the errors of Node name a host. */
const HOST_CONTEXTS: readonly (readonly [before: string, after: string])[] = [
  ["//", ""],
  ["@", ""],
  [".", "."],
  ["ENOTFOUND ", ""],
  ["EAI_AGAIN ", ""],
];
