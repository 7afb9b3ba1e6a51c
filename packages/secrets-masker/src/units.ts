const BLOCK = 8192;
const encoder = new TextEncoder();

/** Bytes as text with one UTF-16 unit (0 to 255) for each, so that one matcher serves text and bytes. */
export function unitsFromBytes(bytes: Uint8Array): string {
  let units = "";
  // In blocks, for a call takes only so many arguments.
  for (let start = 0; start < bytes.length; start += BLOCK) {
    units += Reflect.apply(String.fromCharCode, null, bytes.subarray(start, start + BLOCK));
  }
  return units;
}

/** The reverse of {@link unitsFromBytes}. */
export function bytesFromUnits(units: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(units.length);
  for (let index = 0; index < units.length; index++) bytes[index] = units.charCodeAt(index);
  return bytes;
}

/** The UTF-8 of a text, one unit for each byte. A lone surrogate becomes U+FFFD, as everywhere in UTF-8. */
export function utf8Units(text: string): string {
  return /[^\0-\x7f]/.test(text) ? unitsFromBytes(encoder.encode(text)) : text;
}
