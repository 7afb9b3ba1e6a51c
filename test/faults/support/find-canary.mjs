import { gunzipSync } from "node:zlib";

/**
 * How often a canary stands in some bytes, in any of the forms in which values get out: as it is, JSON, percent-encoding,
 * base64 at each alignment, hex, UTF-16, and all of these inside gzip.
 *
 * @param {Buffer} bytes
 * @param {string} canary
 */
export function countCanary(bytes, canary) {
  const forms = [...new Set(formsOf(canary))].map((form) => Buffer.from(form, "latin1"));
  return forms.reduce((sum, form) => sum + countBytes(bytes, form), 0) + countInGzip(bytes, canary);
}

/** @param {string} canary */
function formsOf(canary) {
  const bytes = Buffer.from(canary);
  const latin1 = bytes.toString("latin1");
  const json = Buffer.from(JSON.stringify(canary).slice(1, -1)).toString("latin1");
  const percent = encodeURIComponent(canary);
  return [
    latin1,
    json,
    percent,
    percent.replace(/%../g, (code) => code.toLowerCase()),
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    Buffer.from(canary, "utf16le").toString("latin1"),
    ...[0, 1, 2].flatMap((offset) => base64At(bytes, offset)),
  ];
}

/**
 * The base64 characters that these bytes determine alone, when `offset` bytes stand before them.
 *
 * @param {Buffer} bytes
 * @param {number} offset
 */
function base64At(bytes, offset) {
  const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
  const inner = text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  return [inner, inner.replaceAll("+", "-").replaceAll("/", "_")];
}

/** @param {Buffer} bytes @param {string} canary */
function countInGzip(bytes, canary) {
  let count = 0;
  for (
    let at = bytes.indexOf("\x1f\x8b\x08", 0, "latin1");
    at !== -1;
    at = bytes.indexOf("\x1f\x8b\x08", at + 1, "latin1")
  ) {
    try {
      count += countCanary(gunzipSync(bytes.subarray(at)), canary);
    } catch {
      // Three bytes that look like gzip and are not.
    }
  }
  return count;
}

/** How often these bytes stand in others. @param {Buffer} bytes @param {Buffer} form */
export function countBytes(bytes, form) {
  let count = 0;
  for (let at = bytes.indexOf(form); at !== -1; at = bytes.indexOf(form, at + 1)) count += 1;
  return count;
}
