/**
 * Fernet and MultiFernet, for reading only: to bring secrets over from a store that is sealed with it.
 *
 * @module
 */

import { createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { AutokestraError } from "@autokestra/secrets-core";

/** How far in the future a token may be made, in seconds: the clocks of two machines differ. */
const MAX_CLOCK_SKEW = 60;

export interface FernetDecryptOptions {
  /** Refuse a token that is older, or that is made more than 60 s in the future. Default: the time does not matter. */
  readonly ttlSeconds?: number | undefined;
  /** The time now, in milliseconds since 1970. Default: the clock. */
  readonly now?: number | undefined;
}

/** Opens Fernet tokens. */
export interface Fernet {
  /**
   * @returns the plaintext
   * @throws AutokestraError `INTEGRITY_FAILED`, with one text whatever is wrong: the form, the key, the token, its age
   */
  decrypt(token: string, options?: FernetDecryptOptions): Buffer;
}

/**
 * Fernet, to read what another program has sealed with it: AES-128-CBC and HMAC-SHA256, encrypt-then-MAC
 * (https://github.com/fernet/spec). It only decrypts. With several keys it is MultiFernet: the key whose MAC fits opens the
 * token. A token does not tell which record it belongs to: whoever can write to the store it lies in can swap two of them.
 *
 * @param keys one key or several, each 32 bytes in url-safe base64
 * @throws AutokestraError `KEY_INVALID`, where one of them is no key or there is none
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

/** To be called once the MAC is checked: an error in the padding would tell a stranger about the plaintext. */
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
    hint: "The key is not the one it was made with, or the token was changed, cut off or is too old.",
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
 * @param position which one of several it is, from 1, for the message
 * @throws AutokestraError `KEY_INVALID`; the text is never in the message
 */
function parseFernetKey(text: string, position: number): FernetKey {
  const bytes = decodeBase64url(text);
  if (bytes?.length !== KEY_BYTES) {
    throw new AutokestraError("KEY_INVALID", `Fernet key ${position} is not 32 bytes in url-safe base64`, {
      hint: "It has 44 characters. If it has + or / in it, write - and _ for them.",
    });
  }
  return { signing: bytes.subarray(0, 16), encryption: bytes.subarray(16) };
}

const VERSION = 0x80;
const IV_AT = 1 + 8;
const CIPHERTEXT_AT = IV_AT + 16;
const MAC_BYTES = 32;

/** A token, taken apart and not yet authenticated: version u8, timestamp u64, IV 16 bytes, AES blocks, HMAC 32 bytes. */
interface FernetToken {
  /** Seconds since 1970. */
  readonly createdAt: number;
  readonly iv: Buffer;
  /** Any length: that it is whole blocks, the cipher finds out. */
  readonly ciphertext: Buffer;
  /** All that the MAC is over. */
  readonly signed: Buffer;
  readonly mac: Buffer;
}

/** Returns null for what has not the form of a token. */
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
 * Decodes url-safe base64 (RFC 4648, section 5), with its padding or without any. Node decodes leniently; this takes only what
 * encodes back to the same text.
 *
 * @returns null for anything else
 */
function decodeBase64url(text: string): Buffer | null {
  const unpadded = text.length % 4 === 0 ? text.replace(/={1,2}$/, "") : text;
  const bytes = Buffer.from(unpadded, "base64url");
  return bytes.toString("base64url") === unpadded ? bytes : null;
}
