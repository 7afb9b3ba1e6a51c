import { base64Inside, type Fragment } from "./base64.ts";

/**
 * What PowerShell makes of a value: UTF-16LE in base64, as in `-EncodedCommand`. And UTF-16 itself in either byte order, where
 * the value is ASCII: the bytes of any other are no text.
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
