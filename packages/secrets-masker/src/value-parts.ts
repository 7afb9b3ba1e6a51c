import { failClosed } from "./fail-closed.ts";
import { jsonParts } from "./json-parts.ts";
import { hasCharacters, MIN_LENGTH_ANYWHERE } from "./maskable.ts";

/** So many parts of a value are looked for. */
const MAX_PARTS = 10_000;

const QUOTED = /^\s*(["'])((?!\1).*)\1\s*$/s;
const ARMOUR_WITHOUT_LINES = /^-----BEGIN .*\\n/;
const USERINFO = /^\s*[a-z][a-z0-9+.-]*:\/\/([^/?#\s]*)@/i;
const ASSIGNMENT = /^\s*(?:export\s+|-\s+)?[\w.-]+\s*[=:](.*)$/;
const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;
const BINARY = /(?![\t\n\r])\p{Cc}/u;

/**
 * What programs take out of a value, and may print without the rest: each is a value of its own. Of at least 8 characters,
 * because a name or a number of a port is no secret. Parts of parts too.
 */
export function valueParts(value: string): readonly string[] {
  const found = new Set([value]);
  for (const text of found) {
    for (const part of partsOf(text)) {
      if (found.size > MAX_PARTS) break;
      if (hasCharacters(part.trim(), MIN_LENGTH_ANYWHERE)) found.add(part);
    }
  }
  found.delete(value);
  return [...found];
}

function partsOf(text: string): readonly string[] {
  const json = jsonParts(text);
  return json.length > 0
    ? json
    : [...unquoted(text), ...unfolded(text), ...password(text), ...assigned(text), ...decoded(text)];
}

/** The text between quotes: of a file of settings that was read as it is. */
function unquoted(text: string): readonly string[] {
  return QUOTED.exec(text)?.slice(2) ?? [];
}

/** A PEM that an environment variable has on one line, with `\n` for its line ends. */
function unfolded(text: string): readonly string[] {
  return ARMOUR_WITHOUT_LINES.test(text) ? [text.replaceAll("\\r", "").replaceAll("\\n", "\n")] : [];
}

/** The password in a URL (RFC 3986 section 3.2.1), or the token that stands there alone; as it is, and decoded. */
function password(text: string): readonly string[] {
  const userinfo = USERINFO.exec(text)?.[1];
  if (userinfo === undefined) return [];
  const secret = userinfo.slice(userinfo.indexOf(":") + 1);
  return [secret, failClosed(secret, () => decodeURIComponent(secret))];
}

/** What stands behind `NAME=` and `name:` in a value of several lines: a `.env` file, YAML. */
function assigned(text: string): readonly string[] {
  const lines = text.split(/\r\n|\n|\r/, MAX_PARTS);
  return lines.length === 1 ? [] : lines.flatMap((line) => ASSIGNMENT.exec(line)?.[1]?.trim() ?? []);
}

/** The text that a value is the base64 of. What decodes to anything but text is a token that only looks like it. */
function decoded(text: string): readonly string[] {
  const encoded = text.replaceAll(/\s/g, "");
  if (!BASE64.test(encoded)) return [];
  return failClosed<readonly string[]>([], () => {
    const units = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(units, (unit) => unit.charCodeAt(0));
    const plain = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return BINARY.test(plain) ? [] : [plain];
  });
}
