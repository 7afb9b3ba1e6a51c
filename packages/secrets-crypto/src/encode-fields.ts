import { z } from "@autokestra/secrets-core/internal";

/** Texts, numbers (encoded as their digits), and null for a field without a value. */
export type Fields = readonly (string | number | null)[];

/** The length that means null. No text is that long. */
const NULL_LENGTH = 0xffffffff;

/**
 * Encodes a list of fields: for each the length of its UTF-8 in four bytes, big-endian, then the UTF-8. Different lists
 * never have the same encoding, which they could if the fields were joined by a separator. Null has the length
 * 0xffffffff and differs from "".
 */
export function encodeFields(fields: Fields): Buffer {
  return appendFields(Buffer.alloc(ROOM), 0, fields);
}

/**
 * Creates an encoder for many lists that begin with the same fields. It encodes them as {@link encodeFields} does, but
 * the beginning only once, and all lists in the same buffer.
 *
 * @returns a function that encodes the head and these fields; its next call overwrites the result
 */
export function createFieldEncoder(head: Fields): (fields: Fields) => Buffer {
  const start = encodeFields(head);
  const scratch = Buffer.concat([start], start.length + ROOM);
  return (fields) => appendFields(scratch, start.length, fields);
}

/** Enough bytes for most lists. */
const ROOM = 1024;

/** @returns the bytes up to the end of the fields, in another buffer if this one is too small */
function appendFields(bytes: Buffer, start: number, fields: Fields): Buffer {
  let all = bytes;
  let end = start;
  for (const field of fields) {
    const text = field === null ? "" : typeof field === "string" ? field : String(field);
    const at = end + 4;
    // UTF-8 takes up to three bytes for each UTF-16 unit.
    const room = at + 3 * text.length;
    if (room > all.length) all = Buffer.concat([all.subarray(0, end)], 2 * room);
    end = at + writeText(all, at, text);
    writeLength(all, at - 4, field === null ? NULL_LENGTH : end - at);
  }
  return all.subarray(0, end);
}

function writeLength(bytes: Buffer, at: number, length: number): void {
  bytes[at] = length >>> 24;
  bytes[at + 1] = length >>> 16;
  bytes[at + 2] = length >>> 8;
  bytes[at + 3] = length;
}

/** A loop writes short ASCII texts, as nearly all fields are, faster than a native call of Node.js does. */
function writeText(bytes: Buffer, start: number, text: string): number {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return bytes.write(text, start);
    bytes[start + index] = unit;
  }
  return text.length;
}

/** A schema for standard base64 of exactly `length` bytes. Node.js decodes leniently, so it must encode back. */
export function base64Bytes(length: number): z.ZodType<string> {
  return z.string().refine((text) => isBase64(text, length), `must be base64 of ${length} bytes`);
}

/** True for the standard base64 of exactly `length` bytes. */
export function isBase64(text: unknown, length: number): boolean {
  if (typeof text !== "string") return false;
  const bytes = Buffer.from(text, "base64");
  return bytes.length === length && bytes.toString("base64") === text;
}
