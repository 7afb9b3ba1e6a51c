import type { PatternText } from "../search/pattern-store.ts";

/** A part of an encoded text, and the characters that may stand beside it. */
export type Fragment = Omit<PatternText, "wholeWord">;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * The texts that base64 (RFC 4648, section 4) of any data with these bytes inside contains, one for each of three
 * alignments: the characters that the bytes determine alone. `before` and `after` are the characters that they share
 * with their neighbours.
 *
 * @param bytes one unit (0 to 255) for each byte
 */
function base64Inside(bytes: string): readonly Fragment[] {
  return [0, 1, 2].map((alignment) => {
    const bits = 8 * (alignment + bytes.length);
    return {
      text: shifted(bytes, alignment).slice(0, Math.floor(bits / 6) - firstOwn(alignment)),
      before: firstBits(bytes.charCodeAt(0), alignment),
      after: lastBits(bytes.charCodeAt(bytes.length - 1), bits % 6),
    };
  });
}

/** The same, also for bytes at the end of the data, where the last bits are zero and padding follows. */
export function base64Fragments(bytes: string): readonly Fragment[] {
  const inside = base64Inside(bytes);
  return [
    ...inside,
    ...inside.map(({ before }, alignment) => ({ text: shifted(bytes, alignment), before, after: "" })),
  ];
}

/** The same for base64url (RFC 4648, section 5). */
export function base64urlFragments(bytes: string): readonly Fragment[] {
  return base64Fragments(bytes).map(({ text, before, after }) => ({
    text: toUrlAlphabet(text),
    before: toUrlAlphabet(before),
    after: toUrlAlphabet(after),
  }));
}

/** The characters from the first one that contains no bit of the preceding data. */
function shifted(bytes: string, alignment: number): string {
  return btoa("\0".repeat(alignment) + bytes).slice(firstOwn(alignment));
}

function firstOwn(alignment: number): number {
  return Math.ceil((8 * alignment) / 6);
}

/** All characters that end with the first bits of this byte: 4 bits at alignment 1, 2 bits at alignment 2. */
function firstBits(byte: number, alignment: number): string {
  if (alignment === 0) return "";
  const foreignBits = 2 * alignment;
  const own = byte >> (2 + foreignBits);
  return digits(foreignBits, (foreign) => (foreign << (6 - foreignBits)) | own);
}

/** All characters that begin with the last `count` bits of this byte. */
function lastBits(byte: number, count: number): string {
  if (count === 0) return "";
  const foreignBits = 6 - count;
  const own = (byte & ((1 << count) - 1)) << foreignBits;
  return digits(foreignBits, (foreign) => own | foreign);
}

function digits(foreignBits: number, digit: (foreign: number) => number): string {
  let all = "";
  for (let foreign = 0; foreign < 1 << foreignBits; foreign++) all += ALPHABET.charAt(digit(foreign));
  return all;
}

function toUrlAlphabet(text: string): string {
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * The value in UTF-16, as PowerShell writes it: UTF-16LE in base64, as in `-EncodedCommand`, and for ASCII values
 * UTF-16 itself in either byte order. The UTF-16 bytes of other values are not text.
 */
export function utf16Encodings(value: string): readonly (string | Fragment)[] {
  const isAscii = /^[\0-\x7f]*$/.test(value);
  return [...base64Inside(utf16Units(value)), ...(isAscii ? [value.split("").join("\0")] : [])];
}

/** The UTF-16LE of a text, one unit for each byte. */
function utf16Units(text: string): string {
  return Array.from({ length: text.length }, (_, index) => {
    const unit = text.charCodeAt(index);
    return String.fromCharCode(unit & 0xff, unit >> 8);
  }).join("");
}

/** The number of bytes of a Buffer that Node.js prints (`buffer.INSPECT_MAX_BYTES`). */
const INSPECTED = 50;

/** The bytes of the value in hexadecimal, in one piece and with the separators of Node.js, OpenSSL and .NET. */
export function hexEncodings(value: string): readonly string[] {
  const bytes = hexBytes(value);
  return [
    ...["", " ", ":"].map((separator) => bytes.join(separator)),
    bytes.slice(0, INSPECTED).join(" "),
    ...["", ":", "-"].map((separator) => bytes.join(separator).toUpperCase()),
  ];
}

/** The bytes of the value as a list of numbers, as a Buffer in JSON, a list in Python, Go and Java have them. */
export function byteLists(value: string): readonly string[] {
  const bytes = Array.from(utf8Units(value), (unit) => unit.charCodeAt(0));
  const signed = bytes.map((byte) => (byte < 0x80 ? byte : byte - 0x100)); // Java
  const inGo = hexBytes(value).map((byte) => `0x${byte}`); // %#v
  return [bytes.join(","), bytes.join(", "), bytes.join(" "), signed.join(", "), inGo.join(", ")];
}

function hexBytes(value: string): readonly string[] {
  return Array.from(utf8Units(value), (unit) => unit.charCodeAt(0).toString(16).padStart(2, "0"));
}

const BLOCK = 8192;
const encoder = new TextEncoder();

/** The UTF-8 of a text, one UTF-16 unit (0 to 255) for each byte. A lone surrogate becomes U+FFFD. */
export function utf8Units(text: string): string {
  return /[^\0-\x7f]/.test(text) ? unitsFromBytes(encoder.encode(text)) : text;
}

function unitsFromBytes(bytes: Uint8Array): string {
  let units = "";
  // In blocks, because the number of arguments of a call is limited.
  for (let start = 0; start < bytes.length; start += BLOCK) {
    units += String.fromCharCode(...bytes.subarray(start, start + BLOCK));
  }
  return units;
}

/** Shorter lines match other data by chance: base64 and hex consist of few characters. */
const MIN_LINE = 16;

/** The lines of base64 in the widths of `base64`, MIME and PEM. Data may follow the value, such as a line end. */
export function wrappedBase64(value: string): readonly Fragment[] {
  const [encoded] = base64Inside(utf8Units(value));
  return encoded === undefined ? [] : [76, 64].flatMap((columns) => wrap(encoded, columns));
}

/** The lines of hex in the width of `xxd -p`, and of 64 characters. */
export function wrappedHex(value: string): readonly Fragment[] {
  const encoded = { text: hexBytes(value).join(""), before: "", after: "" };
  return [60, 64].flatMap((columns) => wrap(encoded, columns));
}

/**
 * The lines of a text that is longer than one line. A short last line is looked for together with the line before it.
 */
function wrap({ text, after }: Fragment, columns: number): readonly Fragment[] {
  const starts = Array.from({ length: Math.ceil(text.length / columns) }, (_, index) => index * columns);
  if (starts.length < 2) return [];
  const lines = starts.map((start) => text.slice(start, start + columns));
  const last = lines.pop() ?? "";
  const ends =
    last.length < MIN_LINE ? ["\n", "\r\n", "\\n"].map((end) => `${lines.at(-1) ?? ""}${end}${last}`) : [last];
  return [
    ...lines.map((line) => ({ text: line, before: "", after: "" })),
    ...ends.map((end) => ({ text: end, before: "", after })),
  ];
}

/** The characters that each common encoder escapes: RFC 3986, JavaScript, Python, Go and the `URL` of WHATWG. */
const RESERVED: readonly RegExp[] = [
  /[^A-Za-z0-9\-._~]/g, // RFC 3986, section 2.3
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

/** The same for form bodies, where a plus sign stands for a space. */
const RESERVED_IN_FORM: readonly RegExp[] = [
  /[^A-Za-z0-9\-._* ]/g, // URLSearchParams (WHATWG URL, section 5.2), Java
  /[^A-Za-z0-9\-._~ ]/g, // Go, Python
  /[^A-Za-z0-9\-._ ]/g, // PHP
];

/** The value as part of a URL, with hex digits in upper and lower case, and as part of a URL in a URL. */
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
  // encodeURIComponent would throw on a lone surrogate.
  const upper = bytes.replace(reserved, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`);
  return [upper, upper.replace(/%[0-9A-F]{2}/g, (triplet) => triplet.toLowerCase())];
}
