const BLOCK = 8192;
const encoder = new TextEncoder();

/** The UTF-8 of a text, one UTF-16 unit (0 to 255) for each byte. A lone surrogate becomes U+FFFD, as everywhere in UTF-8. */
export function utf8Units(text: string): string {
  return /[^\0-\x7f]/.test(text) ? unitsFromBytes(encoder.encode(text)) : text;
}

function unitsFromBytes(bytes: Uint8Array): string {
  let units = "";
  // In blocks, for a call takes only so many arguments.
  for (let start = 0; start < bytes.length; start += BLOCK) {
    units += String.fromCharCode(...bytes.subarray(start, start + BLOCK));
  }
  return units;
}
