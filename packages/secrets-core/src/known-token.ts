/** The prefixes of tokens of well-known services. Nothing else begins like this, so any text may follow. */
const PREFIXES = [
  "[sr]k_(?:live|test)_",
  "gh[pousr]_|github_pat_|gl(?:pat|dt|rt)-",
  "xox[abprs]-|xapp-",
  "sk-(?:ant|proj)-|hv[sb]\\.|dop_v1_|shp(?:at|ss)_|whsec_|AGE-SECRET-KEY-",
];

/** Prefixes that other words have too, with the minimum length of a token. */
const PATTERNS = [
  "(?:AKIA|ASIA)[0-9A-Z]{12,}",
  "AIza[\\w-]{30,}",
  "ya29\\.[\\w-]{16,}",
  "SG\\.[\\w-]{16,}",
  "npm_[A-Za-z0-9]{20,}",
  "hf_[A-Za-z0-9]{20,}",
  "sk-[A-Za-z0-9]{20,}",
  "eyJ[\\w-]{8,}\\.eyJ[\\w-]*",
  "-----BEGIN [A-Z ]*PRIVATE KEY",
];

const TOKEN = new RegExp(`(?<![A-Za-z0-9])(?:(?:${PREFIXES.join("|")})\\w|${PATTERNS.join("|")})`);
/** A private key ends with its last line, any other token before the first character that tokens do not have. */
const WHOLE_TOKEN = new RegExp(
  `${TOKEN.source}(?:(?<=-----BEGIN [A-Z ]*PRIVATE KEY)[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|[\\w.~+/=-]*)`,
  "g",
);

/** Tells whether a text contains what looks like a token of a well-known service, such as `ghp_…` or `AKIA…`. */
export function holdsToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A part of a text. `start` and `end` count UTF-16 code units. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** Finds what {@link holdsToken} sees, from its first character to its last. */
export function findTokens(text: string): readonly TextSpan[] {
  return [...text.matchAll(WHOLE_TOKEN)].map(({ 0: token, index }) => ({ start: index, end: index + token.length }));
}
