/**
 * An unambiguous encoding of a list of fields: each as the length of its UTF-8 in four bytes, big-endian, then the UTF-8.
 * No two different lists give the same bytes, as they could if the fields were joined by a separator. Null and "" differ:
 * null has the length 0xffffffff.
 */
export function encodeFields(fields: readonly (string | number | null)[]): Buffer {
  const texts = fields.map((field) => (field === null ? null : String(field)));
  const sizes = texts.map((text) => (text === null ? 0 : Buffer.byteLength(text)));
  const bytes = Buffer.allocUnsafe(sizes.reduce((sum, size) => sum + 4 + size, 0));
  let at = 0;
  for (const [index, text] of texts.entries()) {
    at = bytes.writeUInt32BE(text === null ? 0xffffffff : (sizes[index] ?? 0), at);
    if (text !== null) at += bytes.write(text, at);
  }
  return bytes;
}
