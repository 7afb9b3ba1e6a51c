import { createReadStream } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { AutokestraError } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { type AgeStanza, unwrapWithPassphrase, wrapWithPassphrase } from "@autokestra/secrets-crypto/internal";
import type { Decrypter, Encrypter } from "age-encryption";

declare module "@autokestra/secrets-core" {
  interface ErrorDetails {
    /** An encrypted backup needs another identity or passphrase than those that were given, or one at all. */
    IDENTITY_WRONG: object;
  }
}

/** How a backup is encrypted as a whole (https://age-encryption.org/v1): to recipients, or with a passphrase. */
export interface BackupEncryption {
  /** Public keys, `age1…`. The identity of any of them opens the backup. */
  readonly recipients?: readonly string[] | undefined;
  /** At least 12 characters. It excludes recipients. */
  readonly passphrase?: string | undefined;
  /**
   * Put the master key in, so that the backup can be restored without anything else. A passphrase as master key is not
   * put in. Default: false.
   */
  readonly withKey?: boolean | undefined;
  /** Stops it. Default: none. */
  readonly signal?: AbortSignal | undefined;
}

/** What opens an encrypted backup. All are tried. */
export interface BackupIdentities {
  /** Secret keys, `AGE-SECRET-KEY-1…`. */
  readonly identities?: readonly string[] | undefined;
  readonly passphrase?: string | undefined;
}

/** An encrypted backup, decrypted. */
export interface DecryptedBackup {
  /** The content of a backup that is not encrypted. */
  readonly content: Buffer;
  /** Null if it is not in the backup. */
  readonly masterKey: Buffer | null;
}

const MIN_PASSPHRASE_LENGTH = 12;

/** The number of bytes that are encrypted or decrypted at a time, while nothing else runs in this process. */
const PIECE = 64 * 1024;

/** The first line of what is encrypted. What follows it is the content of a backup that is not encrypted. */
const firstLineSchema = z.object({
  /** The format. */
  autokestraBackup: z.literal(1),
  /** ISO 8601 UTC. */
  madeAt: z.iso.datetime(),
  /** 64 hexadecimal digits. */
  masterKey: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
});

const LATER_FORMAT = z.object({ autokestraBackup: z.int().min(2) });

/** The maximum length of the first line. */
const MAX_FIRST_LINE = 4096;

/** Joins what an encrypted backup contains. */
export function toPayload(content: Uint8Array, masterKey: Buffer | null): Buffer {
  const line: z.infer<typeof firstLineSchema> = {
    autokestraBackup: 1,
    madeAt: new Date().toISOString(),
    masterKey: masterKey?.toString("hex") ?? null,
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), content]);
}

/** Encrypts backups, and decrypts what it has encrypted. */
export interface BackupCipher {
  encrypt(payload: Buffer): AsyncIterable<Uint8Array>;
  /** Tells whether a file decrypts to this payload. */
  verify(path: string, payload: Buffer): Promise<boolean>;
}

/**
 * Prepares the encryption of one backup. To verify it, it is also encrypted to a recipient of its own, whose identity is
 * forgotten with this object; with a passphrase, which excludes recipients, the key of the file is remembered that long.
 *
 * @throws AutokestraError `OPTION_INVALID`; the message contains no recipient and no passphrase
 */
export async function createBackupCipher({
  recipients = [],
  passphrase,
  signal,
}: BackupEncryption): Promise<BackupCipher> {
  const age = await import("age-encryption");
  const encrypter = new age.Encrypter();
  const decrypter = new age.Decrypter();
  if (passphrase !== undefined) {
    checkPassphrase(passphrase, recipients);
    let fileKey: Uint8Array | null = null;
    encrypter.addRecipient({
      async wrapFileKey(key) {
        fileKey = key;
        const { args, body } = await wrapWithPassphrase(passphrase, key);
        return [new age.Stanza([...args], body)];
      },
    });
    decrypter.addIdentity({ unwrapFileKey: () => fileKey });
  } else {
    if (recipients.length === 0) throw optionInvalid("An encrypted backup needs a recipient or a passphrase");
    for (const [index, recipient] of recipients.entries()) addRecipient(encrypter, recipient, index + 1);
    const identity = await age.generateX25519Identity();
    encrypter.addRecipient(await age.identityToRecipient(identity));
    decrypter.addIdentity(identity);
  }
  return {
    async *encrypt(payload) {
      yield* await encrypter.encrypt(ReadableStream.from(pieces(payload, signal)));
    },
    verify: async (path, payload) => await decryptsTo(decrypter, path, payload),
  };
}

function checkPassphrase(passphrase: string, recipients: readonly string[]): void {
  if (recipients.length > 0) throw optionInvalid("A backup is encrypted either to recipients or with a passphrase");
  if (passphrase.length >= MIN_PASSPHRASE_LENGTH) return;
  throw optionInvalid(`The passphrase of the backup has fewer than ${MIN_PASSPHRASE_LENGTH} characters`);
}

function addRecipient(encrypter: Encrypter, recipient: string, position: number): void {
  if (/^AGE-SECRET-KEY-/i.test(recipient)) {
    throw optionInvalid(
      `Recipient ${position} is an identity, which opens backups and must stay secret`,
      "Give its recipient, which begins with `age1`: `age-keygen -y` prints it.",
    );
  }
  try {
    encrypter.addRecipient(recipient);
  } catch {
    throw optionInvalid(
      `Recipient ${position} is not an age recipient, or has a typing error`,
      "A recipient begins with `age1`, and a checksum ends it. SSH keys are not taken.",
    );
  }
}

/** Divides a buffer, and lets other work run before each piece. */
async function* pieces(bytes: Buffer, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) {
    await setImmediate();
    signal?.throwIfAborted();
    yield bytes.subarray(at, at + PIECE);
  }
}

async function decryptsTo(decrypter: Decrypter, path: string, payload: Buffer): Promise<boolean> {
  const file = ReadableStream.from<Uint8Array>(createReadStream(path, { highWaterMark: PIECE }));
  let at = 0;
  try {
    for await (const piece of await decrypter.decrypt(file)) {
      if (!payload.subarray(at, at + piece.length).equals(piece)) return false;
      at += piece.length;
    }
  } catch {
    return false;
  }
  return at === payload.length;
}

const AGE_FILE = Buffer.from("age-encryption.org/v1\n");

/** Tells whether a file with this content is encrypted as a whole. */
export function isEncryptedBackup(content: Buffer): boolean {
  return content.subarray(0, AGE_FILE.length).equals(AGE_FILE);
}

/**
 * Decrypts an encrypted backup.
 *
 * @param refuse returns the error for a backup with a problem
 * @throws AutokestraError `IDENTITY_WRONG`, `STORE_TOO_NEW`; `OPTION_INVALID` for an invalid identity; what `refuse`
 * returns
 */
export async function decryptBackup(
  encrypted: Buffer,
  given: BackupIdentities,
  refuse: (problem: string) => AutokestraError,
): Promise<DecryptedBackup> {
  const decrypter = await createDecrypter(given);
  const needs = describeNeed(encrypted);
  if (decrypter === null) throw identityWrong(refuse(`is encrypted, and opens only with ${needs}`));
  return splitPayload(await decryptAll(decrypter, encrypted, needs, refuse), refuse);
}

/** @returns null if nothing is given */
async function createDecrypter({ identities = [], passphrase }: BackupIdentities): Promise<Decrypter | null> {
  if (identities.length === 0 && passphrase === undefined) return null;
  const age = await import("age-encryption");
  const decrypter = new age.Decrypter();
  for (const identity of identities) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      throw optionInvalid(
        "There is an identity that is not an age identity, or has a typing error",
        "An identity begins with `AGE-SECRET-KEY-1`, and a checksum ends it. SSH keys and encrypted identity files are not taken.",
      );
    }
  }
  if (passphrase !== undefined) {
    decrypter.addIdentity({
      unwrapFileKey: async (stanzas: readonly AgeStanza[]) => await unwrapWithPassphrase(passphrase, stanzas),
    });
  }
  return decrypter;
}

/** The beginning of an age file is text, which says how the key of the file is encrypted. */
function describeNeed(encrypted: Buffer): string {
  const start = encrypted.subarray(AGE_FILE.length, AGE_FILE.length + 10).toString("latin1");
  return start === "-> scrypt " ? "its passphrase" : "the identity of one of its recipients";
}

async function decryptAll(
  decrypter: Decrypter,
  encrypted: Buffer,
  needs: string,
  refuse: (problem: string) => AutokestraError,
): Promise<Buffer> {
  try {
    const decrypted = await decrypter.decrypt(ReadableStream.from(pieces(encrypted)));
    const payload = Buffer.alloc(decrypted.size(encrypted.length));
    let at = 0;
    for await (const piece of decrypted) {
      payload.set(piece, at);
      at += piece.length;
    }
    return payload;
  } catch (error) {
    if (error instanceof Error && error.message === "no identity matched any of the file's recipients") {
      throw identityWrong(refuse(`opens only with ${needs}, which was not given, or its beginning was changed`));
    }
    throw refuse("was cut or changed");
  }
}

function splitPayload(payload: Buffer, refuse: (problem: string) => AutokestraError): DecryptedBackup {
  const end = payload.subarray(0, MAX_FIRST_LINE).indexOf("\n");
  const line = parseJson(payload.subarray(0, Math.max(end, 0)).toString("utf8"));
  if (LATER_FORMAT.safeParse(line).success) {
    const { message } = refuse("was made by a later version");
    throw new AutokestraError("STORE_TOO_NEW", message, { hint: "Update autokestra. Nothing was changed." });
  }
  const first = firstLineSchema.safeParse(line);
  if (!first.success) throw refuse("is an age file, but not a backup of a store");
  const { masterKey } = first.data;
  const content = payload.subarray(end + 1);
  return { content, masterKey: masterKey === null ? null : Buffer.from(masterKey, "hex") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function identityWrong({ message }: AutokestraError): AutokestraError {
  return new AutokestraError("IDENTITY_WRONG", message, { hint: "Nothing was changed." });
}

function optionInvalid(message: string, hint?: string): AutokestraError {
  return new AutokestraError("OPTION_INVALID", message, { hint });
}
