import { createCipheriv, createHmac, randomBytes } from "node:crypto";

/** What a test says about a token; the rest has a default. */
export interface TokenParts {
  readonly version?: number;
  /** Seconds since 1970. */
  readonly createdAt?: number;
  /** Default: the message, padded and encrypted. */
  readonly ciphertext?: Uint8Array;
}

/** A new Fernet key, as text. */
export function makeKey(): string {
  return `${randomBytes(32).toString("base64url")}=`;
}

/** Makes a Fernet token: what createFernet does not do. Its MAC is right whatever its parts are. */
export function makeToken(key: string, message: Uint8Array, parts: TokenParts = {}): string {
  const { version = 0x80, createdAt = 0 } = parts;
  const bytes = Buffer.from(key, "base64url");
  const head = Buffer.alloc(9);
  head.writeUInt8(version);
  head.writeBigUInt64BE(BigInt(createdAt), 1);
  const iv = randomBytes(16);
  const cipher = createCipheriv("aes-128-cbc", bytes.subarray(16), iv);
  const encrypted = Buffer.concat([cipher.update(message), cipher.final()]);
  const signed = Buffer.concat([head, iv, parts.ciphertext ?? encrypted]);
  const mac = createHmac("sha256", bytes.subarray(0, 16)).update(signed).digest();
  return pad(Buffer.concat([signed, mac]).toString("base64url"));
}

function pad(text: string): string {
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=");
}
