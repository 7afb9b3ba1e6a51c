/** What is bound together: text, numbers as their digits, and null for what is not there. */
export type Fields = readonly (string | number | null)[];

/** The length that stands for null: no text is as long. */
const NULL_LENGTH = 0xffffffff;

const scratch = Buffer.alloc(4096);

/**
 * An unambiguous encoding of a list of fields: each as the length of its UTF-8 in four bytes, big-endian, then the UTF-8.
 * No two different lists give the same bytes, as they could if the fields were joined by a separator. Null and "" differ:
 * null has the length 0xffffffff.
 */
export function encodeFields(fields: Fields): Buffer {
  return Buffer.from(encodeFieldsBriefly(fields));
}

/** The same bytes, in a buffer that the next call overwrites: for what is used at once, and often. */
export function encodeFieldsBriefly(fields: Fields): Buffer {
  let room = 0;
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  for (const field of fields) room += 4 + (field === null ? 0 : 3 * String(field).length);
  const bytes = room > scratch.length ? Buffer.alloc(room) : scratch;
  let end = 0;
  for (const field of fields) {
    const start = end + 4;
    end = field === null ? start : start + writeText(bytes, start, String(field));
    bytes.writeUInt32BE(field === null ? NULL_LENGTH : end - start, start - 4);
  }
  return bytes.subarray(0, end);
}

/** Nearly all fields are short and ASCII: a loop writes those faster than a call into Node does. */
function writeText(bytes: Buffer, start: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return bytes.write(text, start);
    bytes[start + index] = unit;
  }
  return text.length;
}
