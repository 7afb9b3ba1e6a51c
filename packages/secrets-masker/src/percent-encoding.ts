import { utf8Units } from "./units.ts";

/** What each encoder in use escapes: of RFC 3986, of JavaScript, of Python's `quote`, and of WHATWG's `URL`. */
const RESERVED: readonly RegExp[] = [
  /[^A-Za-z0-9\-._~]/g, // RFC 3986 section 2.3
  /[^A-Za-z0-9\-._~!*'()]/g, // encodeURIComponent
  /[^A-Za-z0-9\-._~!*'();/?:@&=+$,#]/g, // encodeURI
  /[^A-Za-z0-9\-._~/]/g, // quote
  /[^!-~]|["#<>?`{}/:;=@[\\\]^|]/g, // URL: userinfo
  /[^!-~]|["#<>?`{}]/g, // URL: path
  /[^!-~]|["#<>']/g, // URL: query
];

const RESERVED_IN_FORM = /[^A-Za-z0-9\-._* ]/g;

/** The value as part of a URL, with upper and lower case digits. */
export function percentEncodings(value: string): readonly string[] {
  const bytes = utf8Units(value);
  return RESERVED.flatMap((reserved) => escapeUnits(bytes, reserved));
}

/** The value in an `application/x-www-form-urlencoded` body (WHATWG URL section 5.2): a space is a plus sign. */
export function formEncodings(value: string): readonly string[] {
  return escapeUnits(utf8Units(value), RESERVED_IN_FORM).map((text) => text.replaceAll(" ", "+"));
}

function escapeUnits(bytes: string, reserved: RegExp): readonly string[] {
  // Not encodeURIComponent: it throws on a lone surrogate.
  const upper = bytes.replace(reserved, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`);
  return [upper, upper.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase())];
}
