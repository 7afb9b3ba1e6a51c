/**
 * Decodes url-safe base64 (RFC 4648, section 5), with its padding or without any. Node decodes leniently; this takes only what
 * encodes back to the same text.
 *
 * @returns null for anything else
 */
export function decodeBase64url(text: string): Buffer | null {
  const unpadded = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  const bytes = Buffer.from(unpadded, "base64url");
  return bytes.toString("base64url") === unpadded ? bytes : null;
}
