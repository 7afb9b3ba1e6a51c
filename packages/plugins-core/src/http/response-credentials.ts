/** A secret value of a response, and its path in the output. */
export interface Credential {
  readonly path: string;
  readonly value: string;
}

const TOKEN_KEY = /^(?:access|refresh|id)_?token$/i;
const TOKEN_IN_FORM = /(?:^|[?&#])(?:access|refresh|id)_?token=([^&#]+)/gi;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** Longer bodies, in characters, are not searched. */
const LONGEST_TEXT = 1024 * 1024;

/** Shorter texts, in characters, are not treated as credentials: masking them would hide ordinary words. */
const SHORTEST = { token: 4, cookie: 8 };

/** Finds the tokens in a body: JSON, or a form as some services send it. */
export function findTokens(body: unknown): Credential[] {
  return tokensIn(body).map((value) => ({ path: "body", value }));
}

/**
 * Finds the cookies of a response.
 *
 * @param headers the values of Set-Cookie
 */
export function findCookies(headers: readonly string[]): Credential[] {
  return headers.flatMap(textsOfCookie).map((value) => ({ path: "headers.set-cookie", value }));
}

/** True for the paths of an output at which {@link findCredentials} finds something. */
export function isCredentialPath([first, ...rest]: readonly string[]): boolean {
  if (first === "headers") return rest[0]?.toLowerCase() === "set-cookie";
  return (first === "body" || first === "pages") && rest.some((key) => TOKEN_KEY.test(key));
}

function tokensIn(body: unknown): string[] {
  const tokens: string[] = [];
  const open: unknown[] = [typeof body === "string" ? readText(body) : body];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item === "string") tokens.push(...tokensInForm(item));
    if (typeof item !== "object" || item === null) continue;
    for (const [key, value] of Object.entries(item)) {
      if (typeof value === "object") open.push(value);
      else if (typeof value === "string" && TOKEN_KEY.test(key)) tokens.push(value);
    }
  }
  return tokens.filter((token) => token.length >= SHORTEST.token);
}

/** Reads text that may be JSON with another content type, or base64 of JSON or a form. */
function readText(text: string): unknown {
  if (text.length > LONGEST_TEXT) return null;
  try {
    return JSON.parse(text);
  } catch {
    return BASE64.test(text) && text.length % 4 === 0 ? readText(Buffer.from(text, "base64").toString()) : text;
  }
}

function tokensInForm(text: string): string[] {
  return [...text.matchAll(TOKEN_IN_FORM)].flatMap(([, value = ""]) => [value, decodeForm(value)]);
}

/** The cookie as a client sends it back, and its value, without the attributes, which are ordinary words. */
function textsOfCookie(header: string): string[] {
  const [cookie = ""] = header.split(";", 1);
  const value = cookie
    .slice(cookie.indexOf("=") + 1)
    .trim()
    .replace(/^"(.*)"$/, "$1");
  if (value === "") return [];
  const values = [value, decodeForm(value)].filter((text) => text.length >= SHORTEST.cookie);
  return [cookie.trim(), ...values].filter((text) => text.length >= SHORTEST.token);
}

function decodeForm(text: string): string {
  return new URLSearchParams(`x=${text}`).get("x") ?? text;
}
