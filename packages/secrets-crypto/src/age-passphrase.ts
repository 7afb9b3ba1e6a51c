import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from "./aes-gcm.ts";

/** A stanza of an age file: how one recipient gets the key of the file (https://c2sp.org/age#recipient-stanza). */
export interface AgeStanza {
  readonly args: readonly string[];
  readonly body: Uint8Array;
}

/** The binary logarithm of the cost of scrypt, as `age` has it: about a second. */
const WORK_FACTOR = 18;

/** A file that wants more would keep the processor busy for minutes. */
const MAX_WORK_FACTOR = 20;

const LABEL = "age-encryption.org/v1/scrypt";
const SALT_BYTES = 16;
const FILE_KEY_BYTES = 16;
const CIPHER = "chacha20-poly1305";
/** Each key encrypts one file key. */
const NONCE = Buffer.alloc(NONCE_BYTES);

const stretch: (passphrase: string, salt: Buffer, length: number, options: object) => Promise<Buffer> =
  promisify(scrypt);

async function wrapKeyOf(passphrase: string, salt: Buffer, workFactor: number): Promise<Buffer> {
  const cost = 2 ** workFactor;
  // scrypt needs 128 * N * r bytes, and a little more.
  const options = { N: cost, r: 8, p: 1, maxmem: 1025 * cost + 1024 * 1024 };
  return await stretch(passphrase, Buffer.concat([Buffer.from(LABEL), salt]), KEY_BYTES, options);
}

/**
 * Encrypts the key of an age file with a passphrase (https://c2sp.org/age#the-scrypt-recipient-type). Node.js stretches it
 * many times faster than JavaScript, and does not block other work.
 */
export async function wrapWithPassphrase(
  passphrase: string,
  fileKey: Uint8Array,
  workFactor: number = WORK_FACTOR,
): Promise<AgeStanza> {
  const salt = randomBytes(SALT_BYTES);
  const cipher = createCipheriv(CIPHER, await wrapKeyOf(passphrase, salt, workFactor), NONCE, {
    authTagLength: TAG_BYTES,
  });
  const body = Buffer.concat([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()]);
  return { args: ["scrypt", toBase64(salt), String(workFactor)], body };
}

/**
 * Decrypts the key of an age file with a passphrase.
 *
 * @param stanzas all stanzas of the file
 * @returns null if the file was not encrypted with this passphrase
 */
export async function unwrapWithPassphrase(
  passphrase: string,
  stanzas: readonly AgeStanza[],
): Promise<Uint8Array | null> {
  const [{ args, body } = { args: [], body: NONCE }] = stanzas;
  const [type, saltText = "", factorText = ""] = args;
  const salt = Buffer.from(saltText, "base64");
  const workFactor = /^[1-9]\d?$/.test(factorText) ? Number(factorText) : Number.NaN;
  const isValid = salt.length === SALT_BYTES && toBase64(salt) === saltText && workFactor <= MAX_WORK_FACTOR;
  // A file with a passphrase has no other recipient.
  if (type !== "scrypt" || stanzas.length !== 1 || args.length !== 3 || !isValid) return null;
  if (body.length !== FILE_KEY_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv(CIPHER, await wrapKeyOf(passphrase, salt, workFactor), NONCE, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAuthTag(body.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return null;
  }
}

function toBase64(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
