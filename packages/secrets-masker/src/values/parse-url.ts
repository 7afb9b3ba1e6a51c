import { failClosed } from "../fail-closed.ts";

/**
 * A URL as it is written (RFC 3986, section 3). Unlike `URL`, this allows several hosts and `jdbc:` before the scheme.
 */
interface UrlText {
  readonly scheme: string;
  /** The text before the last `@`; null without one. */
  readonly userinfo: string | null;
  /** From the first slash on, without the query. */
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
}

const URL_TEXT = /^(?:jdbc:)?([a-z][a-z0-9+.:-]{0,63}):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/is;

/** A password that contains an unencoded slash, `?` or `#`, which database drivers accept. */
const LOOSE_USERINFO = /^(?:jdbc:)?[a-z][a-z0-9+.:-]{0,63}:\/\/([^/?#@:\s]*:(?!\d*(?:[/?#]|$))\S+)@[^@]*$/i;

/** Returns null for a text without `://`. */
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

/** Decodes percent-encoding. Returns the text as it is if the encoding is malformed. */
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

/** The value as a program reads it from a settings file: without quotes, with line ends for `\\n`. */
export function rewritten(text: string): readonly string[] {
  const [, quote, inner] = QUOTED.exec(text) ?? [];
  const parsed = quote === '"' ? failClosed<unknown>(null, () => JSON.parse(text)) : null;
  const unfolded = ARMOUR_WITHOUT_LINES.test(text) ? text.replaceAll("\\r", "").replaceAll("\\n", "\n") : null;
  const all = [inner, parsed, unfolded].filter((each) => typeof each === "string");
  return [...new Set(all)];
}

/** Other texts that programs read as the same value. */
export function spellings(text: string): readonly string[] {
  const composed = ["NFC", "NFD"].map((form) => text.normalize(form));
  return [...rewritten(text), ...composed].filter((each) => each !== text);
}

/**
 * The URL as `URL` and HTTP clients write it, then its path and its query on their own. These count only if they
 * contain a secret part, or if no part of the URL looks secret, because one must be. Scheme and host are never looked
 * for on their own.
 */
export function urlSpellings(value: string, secretParts: readonly string[]): readonly string[] {
  const url = /^\s*[a-z][a-z0-9+.-]*:\/\//i.test(value) && isUrl(value) ? new URL(value) : null;
  if (url === null) return [];
  const { href, protocol, pathname, search } = url;
  const requests = WEB.test(protocol) ? [pathname + search, pathname, search] : [];
  const isPlain = secretParts.length === 0 && /^\/[^/]+\/./.test(pathname);
  const isSecret = (text: string) =>
    secretParts.some((part) => text.includes(part) || percentDecoded(text).includes(part));
  return [href, ...requests.filter((text) => isPlain || isSecret(text))];
}

/**
 * A value that becomes the name of a host or a part of one, in lower case and in ASCII (RFC 5891). Without a digit it
 * looks like any other word, so it counts only in a place where hosts are named.
 */
export function hostSpellings(value: string): readonly string[] {
  if (!DOMAIN.test(value) || !/[\p{Lu}\u0080-\uffff]/u.test(value)) return [];
  const lower = value.toLowerCase();
  const host = isUrl(`http://${value}`) ? new URL(`http://${value}`).hostname : lower;
  const names = [lower, host].filter((name) => name === lower || name.includes("xn--"));
  return [...new Set(names)].flatMap((name) =>
    /[\d\u0080-\uffff]|xn--/.test(name) ? [name] : HOST_CONTEXTS.map(([before, after]) => before + name + after),
  );
}

/** `URL.canParse` of Node.js 20 takes a text with characters such as `ü` for none, once it has been called some thousand times. */
function isUrl(text: string): boolean {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}

/** In a URL, after the name of a user, between dots, and in the errors of Node.js. */
const HOST_CONTEXTS: readonly (readonly [before: string, after: string])[] = [
  ["//", ""],
  ["@", ""],
  [".", "."],
  ["ENOTFOUND ", ""],
  ["EAI_AGAIN ", ""],
];
