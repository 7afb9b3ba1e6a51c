import { randomBytes } from "node:crypto";
import { existsSync, fstatSync, lstatSync, readSync, realpathSync, rmdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  checkFolder,
  checkPrivateFile,
  createPrivateFile,
  fileIdentity,
  GROUP_AND_OTHERS,
  makePrivateFolder,
  type Refuse,
  sweepDeadTemporaryFiles,
  systemReason,
  withOpenFile,
} from "@autokestra/private-files";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { KEY_BYTES } from "../aes-gcm.ts";
import { isMountedPrivately, readMountInfo } from "./mounted-key.ts";

/** The maximum size of a key file. A passphrase of a kilobyte is a mistake. */
export const MAX_KEY_BYTES = 1024;

/** Errors of the medium or the system, not of the file. */
const UNAVAILABLE =
  "ENOSPC EDQUOT EFBIG EROFS EIO ENXIO ENODEV ESTALE ETIMEDOUT ENOLCK EMFILE ENFILE ENOMEM EAGAIN EBUSY".split(" ");

export interface ReadKeyOptions {
  /** Called if others can read a mounted key. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** The mounts of this process as in /proc/self/mountinfo; for tests. */
  readonly mountInfo?: string | undefined;
}

/**
 * Reads a key file: a text for `parseKeyText`, or 32 raw bytes. It checks the open file, so that nobody can replace the
 * file between the check and the reading. It changes nothing.
 *
 * @returns null if the file does not exist
 * @throws AutokestraError `KEY_UNREADABLE` for a link, another owner, a file that others can read or a folder in which
 * anybody can replace it, unless the key is mounted; `KEY_INVALID`; `KEY_UNAVAILABLE`
 */
export function readKeyFile(path: string, options: ReadKeyOptions = {}): KeyContent | null {
  const refuse = refuseKey(path);
  try {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
    return withOpenFile(isLink ? targetOf(path, refuse) : path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      checkKeyFile(descriptor, path, isLink, options);
      return readKey(descriptor, path);
    });
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    if (errorCode(error) === "ENOTDIR") return null;
    throw keyFileError(path, "cannot be opened", error);
  }
}

/** Returns the target of a link. It means nothing if somebody else can replace the link. */
function targetOf(path: string, refuse: Refuse): string {
  const { uid } = lstatSync(path);
  if (uid !== 0 && uid !== process.geteuid?.()) throw refuse("is a symbolic link");
  checkFolder(dirname(path), refuse);
  try {
    return realpathSync(path);
  } catch (error) {
    throw errorCode(error) === "ENOENT" ? refuse("is a symbolic link") : error;
  }
}

function checkKeyFile(descriptor: number, path: string, isLink: boolean, options: ReadKeyOptions): void {
  const refuse = refuseKey(path);
  try {
    if (isLink) throw refuse("is a symbolic link");
    checkPrivateFile(descriptor, path, refuse);
  } catch (error) {
    if (!isMountedPrivately(descriptor, options.mountInfo ?? readMountInfo())) throw error;
    if ((fstatSync(descriptor).mode & GROUP_AND_OTHERS) !== 0)
      options.onNotice?.(`others can read the mounted key file ${path}`);
  }
}

function readKey(descriptor: number, path: string): KeyContent {
  const buffer = Buffer.alloc(MAX_KEY_BYTES + 1);
  try {
    const content = buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, 0));
    if (content.length === KEY_BYTES && !isText(content)) return { kind: "bytes", material: Uint8Array.from(content) };
    if (content.length > MAX_KEY_BYTES || !isText(content)) {
      throw new AutokestraError("KEY_INVALID", `The key file ${path} contains neither text nor 32 raw bytes`);
    }
    return parseKeyText(content.toString("utf8"), path);
  } finally {
    buffer.fill(0);
  }
}

/** UTF-8 without control characters except a line end. 32 random bytes are that with a probability of 10^-14. */
function isText(bytes: Buffer): boolean {
  const text = bytes.toString("utf8");
  // Without `\p{Cc}`: V8 takes longer to read that than to decrypt a secret, and each command reads a key.
  return Buffer.from(text).equals(bytes) && /^[ -~\u00a0-\ufffc\ufffe\uffff]*$/.test(text.replace(/\r?\n$/, ""));
}

/**
 * Writes a key to a new file, 0600 in a folder of 0700. The file appears under its name only when it is complete and on
 * the disk, so that another process never reads half a key. Nothing is left behind after an error.
 *
 * @param key default: 32 random bytes
 * @returns false if something with this name already exists
 * @throws AutokestraError `KEY_UNREADABLE` if the file cannot be written or could not be read afterwards;
 * `KEY_UNAVAILABLE`
 */
export function createKeyFile(path: string, key: Uint8Array = randomBytes(KEY_BYTES)): boolean {
  const folder = dirname(resolve(path));
  const made = missingFolder(folder);
  try {
    if (made === null) checkFolder(folder, refuseKey(path));
    if (fileIdentity(path) !== null) return false;
    makePrivateFolder(folder);
    sweep(folder);
    return createPrivateFile(path, `${Buffer.from(key).toString("hex")}\n`);
  } catch (error) {
    if (made !== null) removeEmptyFolders(folder, made);
    throw error instanceof AutokestraError ? error : keyFileError(path, "cannot be written", error);
  }
}

/** Temporary files of killed processes contain keys that were never used. */
function sweep(folder: string): void {
  try {
    sweepDeadTemporaryFiles(folder);
  } catch {
    // The new key is more important.
  }
}

/** Returns the topmost folder that has to be created for this one; null if the folder exists. */
function missingFolder(folder: string): string | null {
  if (existsSync(folder)) return null;
  return missingFolder(dirname(folder)) ?? folder;
}

function removeEmptyFolders(from: string, last: string): void {
  try {
    for (let folder = from; folder.length >= last.length; folder = dirname(folder)) rmdirSync(folder);
  } catch {
    // Another process uses it already, or it was not created.
  }
}

/** Creates the errors for a key file that is rejected. */
export function refuseKey(path: string): Refuse {
  return (problem, hint = "Give the path of the file itself.") =>
    new AutokestraError("KEY_UNREADABLE", `The key file ${path} ${problem}`, { hint });
}

/** The error for a key file that the system cannot read or write. The code depends on the cause. */
export function keyFileError(path: string, what: string, error: unknown): AutokestraError {
  const code = errorCode(error);
  const reason = systemReason(error) ?? (code || "unknown error");
  const kind = UNAVAILABLE.includes(code) ? "KEY_UNAVAILABLE" : "KEY_UNREADABLE";
  return new AutokestraError(kind, `The key file ${path} ${what}: ${reason}`);
}

/** The content of a key file or variable. */
export interface KeyContent {
  readonly kind: MasterKey["kind"];
  /** The 32 bytes, or the passphrase in UTF-8. */
  readonly material: Uint8Array;
}

/** The shortest passphrase, in characters. */
const MIN_PASSPHRASE_LENGTH = 12;

const HEX_KEY = /^[0-9a-fA-F]{64}$/;
const BASE64_KEY = /^[A-Za-z0-9+/_-]{43}=?$/;
/** Only hex digits, or more base64 than anybody would type: meant as a key, not as a passphrase. */
const KEY_LIKE = /^([0-9a-fA-F]+|[A-Za-z0-9+/_-]{40,}={0,2})$/;

/**
 * Reads a master key from text: 64 hex characters or base64 (also base64url) of 32 bytes is the key itself, anything
 * else of at least 12 characters is a passphrase, normalised to NFKC (NIST SP 800-63B, section 5.1.1.2). A newline at
 * the end is removed. A text that looks like a mistyped key is rejected: as a passphrase it would work, until somebody
 * corrects the typo and can no longer open the store.
 *
 * @param source where the text comes from, for messages
 * @throws AutokestraError `KEY_INVALID`; the message never contains the text
 */
export function parseKeyText(text: string, source: string): KeyContent {
  const key = text.replace(/\r?\n$/, "");
  if (key === "") throw invalidKey(source, "is empty");
  const bytes = decodeKey(key);
  if (bytes !== null) {
    if (bytes.every((byte) => byte === bytes[0]))
      throw invalidKey(source, "holds one byte repeated 32 times, which is not a key");
    return { kind: "bytes", material: bytes };
  }
  if (KEY_LIKE.test(bare(key))) throw invalidKey(source, "looks like a key, but is not one of 32 bytes");
  if (key.length < MIN_PASSPHRASE_LENGTH) {
    throw invalidKey(source, `is a passphrase of fewer than ${MIN_PASSPHRASE_LENGTH} characters`);
  }
  return { kind: "passphrase", material: Buffer.from(key.normalize("NFKC")) };
}

/** Removes what people copy along with a key: spaces, quotes, a prefix, colons between the bytes. */
function bare(text: string): string {
  return text.replace(/[\s"'`:]/g, "").replace(/^(hex|base64)/i, "");
}

/** Node.js decodes leniently, so the result must encode back to the same text. */
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
