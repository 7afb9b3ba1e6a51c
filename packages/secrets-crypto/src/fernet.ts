/**
 * Decrypts Fernet and MultiFernet tokens, to import secrets from a store that uses them. It does not create tokens.
 *
 * @module
 */

import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { AutokestraError } from "@autokestra/secrets-core";

/** How far in the future a token may have been made, in seconds, because the clocks of two machines differ. */
const MAX_CLOCK_SKEW = 60;

export interface FernetDecryptOptions {
  /**
   * Rejects tokens that are older, in seconds, or that were made more than 60 seconds in the future. Default: any age.
   */
  readonly ttlSeconds?: number | undefined;
  /** The current time in milliseconds since 1970. Default: `Date.now()`. */
  readonly now?: number | undefined;
}

/** Decrypts Fernet tokens. */
export interface Fernet {
  /**
   * Decrypts a token.
   *
   * @returns the plaintext
   * @throws AutokestraError `INTEGRITY_FAILED`, with the same message whether the format, the key, the token or its age
   * is wrong
   */
  decrypt(token: string, options?: FernetDecryptOptions): Buffer;
}

/**
 * Reads what another program has encrypted with Fernet: AES-128-CBC and HMAC-SHA256, encrypt-then-MAC
 * (https://github.com/fernet/spec). Use it to import secrets; new ones are never written in this format. With several
 * keys it is MultiFernet: the key whose MAC fits decrypts the token. A token is not bound to a record, so that anybody
 * who can write to the store can swap two of them.
 *
 * @param keys one key or several, each 32 bytes in url-safe base64
 * @throws AutokestraError `KEY_INVALID` if one of them is not a Fernet key, or if there is none
 *
 * @example
 * ```ts
 * import { createFernet } from "@autokestra/secrets-crypto/fernet";
 *
 * const fernet = createFernet("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=");
 * const token =
 *   "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
 * console.log(fernet.decrypt(token).toString()); // prints hello
 * ```
 */
export function createFernet(keys: string | readonly string[]): Fernet {
  const parsedKeys = [keys].flat().map((key, index) => parseFernetKey(key, index + 1));
  if (parsedKeys.length === 0) throw new AutokestraError("KEY_INVALID", "There is no Fernet key: give at least one");
  return {
    decrypt(text, { ttlSeconds, now = Date.now() } = {}) {
      const token = parseFernetToken(text);
      if (token === null) throw tokenRefused();
      const key = parsedKeys.find(({ signing }) => isSignedWith(signing, token));
      if (key === undefined || !isFresh(token, ttlSeconds, now / 1000)) throw tokenRefused();
      return decryptBlocks(key, token);
    },
  };
}

function isSignedWith(key: Buffer, { signed, mac }: FernetToken): boolean {
  return timingSafeEqual(createHmac("sha256", key).update(signed).digest(), mac);
}

function isFresh({ createdAt }: FernetToken, ttl: number | undefined, now: number): boolean {
  return ttl === undefined || (now <= createdAt + ttl && createdAt <= now + MAX_CLOCK_SKEW);
}

/**
 * Call it only after the MAC was checked: otherwise an error in the padding would reveal something about the plaintext.
 */
function decryptBlocks({ encryption }: FernetKey, { iv, ciphertext }: FernetToken): Buffer {
  const decipher = createDecipheriv("aes-128-cbc", encryption, iv);
  const start = decipher.update(ciphertext);
  try {
    return Buffer.concat([start, decipher.final()]);
  } catch {
    throw tokenRefused();
  } finally {
    start.fill(0);
  }
}

function tokenRefused(): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", "The Fernet token cannot be opened", {
    hint: "It was made with another key, was changed or cut off, or is too old.",
  });
}

const KEY_BYTES = 32;

/** The two halves of a Fernet key, 16 bytes each. */
interface FernetKey {
  readonly signing: Buffer;
  readonly encryption: Buffer;
}

/**
 * Reads a Fernet key: 32 bytes in url-safe base64, the signing half first.
 *
 * @param position of this key among several, from 1, for the message
 * @throws AutokestraError `KEY_INVALID`; the message never contains the text
 */
function parseFernetKey(text: string, position: number): FernetKey {
  const bytes = decodeBase64url(text);
  if (bytes?.length !== KEY_BYTES) {
    throw new AutokestraError("KEY_INVALID", `Fernet key ${position} is not 32 bytes in url-safe base64`, {
      hint: "A key has 44 characters. If it contains + or /, write - and _ instead.",
    });
  }
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}

const VERSION = 0x80;
const IV_AT = 1 + 8;
const CIPHERTEXT_AT = IV_AT + 16;
const MAC_BYTES = 32;

/** The parts of a token, not yet authenticated: version u8, timestamp u64, IV 16 bytes, AES blocks, HMAC 32 bytes. */
interface FernetToken {
  /** Seconds since 1970. */
  readonly createdAt: number;
  readonly iv: Buffer;
  /** Of any length: the cipher checks that it consists of whole blocks. */
  readonly ciphertext: Buffer;
  /** Everything that the MAC covers. */
  readonly signed: Buffer;
  readonly mac: Buffer;
}

/** Returns null if the text does not have the format of a token. */
function parseFernetToken(text: string): FernetToken | null {
  const bytes = decodeBase64url(text);
  if (bytes === null || bytes.length < CIPHERTEXT_AT + MAC_BYTES || bytes[0] !== VERSION) return null;
  const signed = bytes.subarray(0, -MAC_BYTES);
  return {
    createdAt: Number(bytes.readBigUInt64BE(1)),
    iv: bytes.subarray(IV_AT, CIPHERTEXT_AT),
    ciphertext: signed.subarray(CIPHERTEXT_AT),
    signed,
    mac: bytes.subarray(-MAC_BYTES),
  };
}

/**
 * Decodes url-safe base64 (RFC 4648, section 5), with complete padding or without. Node.js decodes leniently, so the
 * result must encode back to the same text.
 *
 * @returns null for anything else
 */
function decodeBase64url(text: string): Buffer | null {
  const unpadded = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  const bytes = Buffer.from(unpadded, "base64url");
  return bytes.toString("base64url") === unpadded ? bytes : null;
}
