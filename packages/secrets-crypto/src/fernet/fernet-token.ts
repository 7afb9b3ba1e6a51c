import { decodeBase64url } from "./base64url.ts";

const VERSION = 0x80;
const IV_AT = 1 + 8;
const CIPHERTEXT_AT = IV_AT + 16;
const MAC_BYTES = 32;

/** A token, taken apart and not yet authenticated: version u8, timestamp u64, IV 16 bytes, AES blocks, HMAC 32 bytes. */
export interface FernetToken {
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
export function parseFernetToken(text: string): FernetToken | null {
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
