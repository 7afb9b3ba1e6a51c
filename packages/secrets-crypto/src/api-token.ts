import { hash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { equalBytes } from "./key-derivation.ts";

/** How every token begins, so that scanners for secrets find it. */
const PREFIX = "ak_";
const RANDOM_BYTES = 32;
/** 62^43 is more than 2^256. */
const RANDOM_LENGTH = 43;
/** 62^6 is more than 2^32. */
const CHECKSUM_LENGTH = 6;

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = BigInt(DIGITS.length);
const FORM = new RegExp(`^${PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`);

/** Makes a token: `ak_`, 256 random bits and a checksum, both in base 62. */
export function newApiToken(): string {
  const random = toBase62(BigInt(`0x${randomBytes(RANDOM_BYTES).toString("hex")}`), RANDOM_LENGTH);
  return PREFIX + random + checksumOf(random);
}

/** Tells whether a text can be a token: its form and its checksum, which are no secret. */
export function isApiToken(text: string): boolean {
  if (!FORM.test(text)) return false;
  const random = text.slice(PREFIX.length, -CHECKSUM_LENGTH);
  return text.endsWith(checksumOf(random));
}

/** The SHA-256 of a token. A token is random, so that nothing slower is needed. */
export function hashApiToken(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** Compares two hashes in constant time. */
export function isSameHash(a: Uint8Array, b: Uint8Array): boolean {
  return equalBytes(a, b);
}

function checksumOf(random: string): string {
  let text = "";
  // Without big integers, because every request has a token to check.
  for (let rest = crc32(PREFIX + random); text.length < CHECKSUM_LENGTH; rest = Math.floor(rest / DIGITS.length)) {
    text = (DIGITS[rest % DIGITS.length] ?? "") + text;
  }
  return text;
}

function toBase62(number: bigint, length: number): string {
  let text = "";
  for (let rest = number; text.length < length; rest /= BASE) text = (DIGITS[Number(rest % BASE)] ?? "") + text;
  return text;
}
