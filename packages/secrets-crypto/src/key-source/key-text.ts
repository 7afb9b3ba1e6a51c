import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { KEY_BYTES } from "../aes-gcm.ts";

/** What a key file or variable holds. */
export interface KeyContent {
  readonly kind: MasterKey["kind"];
  /** The 32 bytes, or the passphrase in UTF-8. */
  readonly material: Uint8Array;
}

/** The shortest passphrase, in characters. */
const MIN_PASSPHRASE_LENGTH = 12;

const HEX_KEY = /^[0-9a-fA-F]{64}$/;
const BASE64_KEY = /^[A-Za-z0-9+/_-]{43}=?$/;
/** Only hex digits, or so much base64 that nobody would type it: a key, not a passphrase. */
const KEY_LIKE = /^([0-9a-fA-F]+|[A-Za-z0-9+/_-]{40,}={0,2})$/;

/**
 * Reads a master key from text: 64 hex characters or base64 (also base64url) of 32 bytes is the key itself, anything else of
 * at least 12 characters is a passphrase, normalised to NFKC (NIST SP 800-63B section 5.1.1.2). One newline at the end is
 * dropped. What looks like a mistyped key is refused: taken as a passphrase it would work, and lock out whoever fixes the typo.
 *
 * @param source where the text is from, for the message
 * @throws AutokestraError `KEY_INVALID`; the text is never in the message
 */
export function parseKeyText(text: string, source: string): KeyContent {
  const key = text.replace(/\r?\n$/, "");
  if (key === "") throw invalidKey(source, "is empty");
  const bytes = decodeKey(key);
  if (bytes !== null) {
    if (bytes.every((byte) => byte === bytes[0]))
      throw invalidKey(source, "holds one byte repeated 32 times, which is no key");
    return { kind: "bytes", material: bytes };
  }
  if (KEY_LIKE.test(bare(key))) throw invalidKey(source, "looks like a key, but is not one of 32 bytes");
  if (key.length < MIN_PASSPHRASE_LENGTH) {
    throw invalidKey(source, `is a passphrase of fewer than ${MIN_PASSPHRASE_LENGTH} characters`);
  }
  return { kind: "passphrase", material: Buffer.from(key.normalize("NFKC")) };
}

/** Without what people copy along with a key: spaces, quotes, a prefix, colons between the bytes. */
function bare(text: string): string {
  return text.replace(/[\s"'`:]/g, "").replace(/^(hex|base64)/i, "");
}

/** Node decodes leniently: only what encodes back to the same text is a key. */
function decodeKey(text: string): Buffer | null {
  if (HEX_KEY.test(text)) return Buffer.from(text, "hex");
  if (!BASE64_KEY.test(text)) return null;
  const bytes = Buffer.from(text, "base64url");
  const canonical = text.replaceAll("+", "-").replaceAll("/", "_").replace(/=$/, "");
  return bytes.length === KEY_BYTES && bytes.toString("base64url") === canonical ? bytes : null;
}

function invalidKey(source: string, what: string): AutokestraError {
  return new AutokestraError("KEY_INVALID", `The master key from ${source} ${what}`, {
    hint: "Use 64 hex characters or base64 of 32 bytes (`openssl rand -hex 32`), or a passphrase of at least 12 characters.",
  });
}
