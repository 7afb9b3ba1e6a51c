import { utf8Units } from "./units.ts";

/** What each encoder in use escapes: of RFC 3986, of JavaScript, Python and Go, and of WHATWG's `URL`. */
const RESERVED: readonly RegExp[] = [
  /[^A-Za-z0-9\-._~]/g, // RFC 3986 section 2.3
  /[^A-Za-z0-9\-._~!*'()]/g, // encodeURIComponent
  /[^A-Za-z0-9\-._~!*'();/?:@&=+$,#]/g, // encodeURI
  /[^A-Za-z0-9\-._~!*()]/g, // encodeURIComponent, then in the query of a URL
  /[^A-Za-z0-9\-._~/]/g, // Python: quote
  /[^A-Za-z0-9\-._~$&+:=@]/g, // Go: PathEscape
  /[^A-Za-z0-9\-._~$&+,;=]/g, // Go: UserPassword
  /[^!-~]|["#<>?`{}/:;=@[\\\]^|]/g, // URL: userinfo
  /[^!-~]|["#<>?^`{}]/g, // URL: path
  /[^!-~]|["#<>?`{}]/g, // URL: path, before Node 24
  /[^!-~]|["#<>']/g, // URL: query
];

/** The same for form bodies, where a space is a plus sign. */
const RESERVED_IN_FORM: readonly RegExp[] = [
  /[^A-Za-z0-9\-._* ]/g, // URLSearchParams (WHATWG URL section 5.2), Java
  /[^A-Za-z0-9\-._~ ]/g, // Go, Python
  /[^A-Za-z0-9\-._ ]/g, // PHP
];

/** The value as part of a URL, with upper and lower case digits, and as part of a URL in a URL. */
export function percentEncodings(value: string): readonly string[] {
  const bytes = utf8Units(value);
  const once = RESERVED.flatMap((reserved) => escapeUnits(bytes, reserved));
  return [...once, ...once.slice(0, 4).map((text) => text.replaceAll("%", "%25"))];
}

/** The value in an `application/x-www-form-urlencoded` body. */
export function formEncodings(value: string): readonly string[] {
  const bytes = utf8Units(value);
  return RESERVED_IN_FORM.flatMap((reserved) => escapeUnits(bytes, reserved)).map((text) => text.replaceAll(" ", "+"));
}

function escapeUnits(bytes: string, reserved: RegExp): readonly string[] {
  // Not encodeURIComponent: it throws on a lone surrogate.
  const upper = bytes.replace(reserved, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`);
  return [upper, upper.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase())];
}
