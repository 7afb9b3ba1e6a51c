import { randomBytes } from "node:crypto";
import { readSync } from "node:fs";
import { dirname } from "node:path";
import { AutokestraError, errorCode, type MasterKey } from "@autokestra/secrets-core";
import {
  checkPrivateFile,
  createPrivateFile,
  makePrivateFolder,
  sweepDeadDrafts,
  withOpenFile,
} from "@autokestra/secrets-files";
import { KEY_BYTES } from "./aes-gcm.ts";
import { parseKeyText } from "./key-text.ts";

/** No key file is longer than this; a passphrase of a kilobyte is a mistake. */
const MAX_BYTES = 1024;

type KeyContent = Pick<MasterKey, "kind" | "material">;

/**
 * Reads a key file: the forms of `parseKeyText`, or 32 raw bytes. All checks are made on the opened file, so that nothing can
 * be put in its place between the check and the reading.
 *
 * @returns null where there is no such file
 * @throws AutokestraError `KEY_UNREADABLE` for a link, another owner, a file that others can read, a folder in which
 * anybody can replace it; `KEY_INVALID`
 */
export async function readKeyFile(path: string): Promise<KeyContent | null> {
  const refuse = (problem: string, hint = "Give the path of the file itself with --key-file.") =>
    unsafe(path, problem, hint);
  try {
    return withOpenFile(path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      checkPrivateFile(descriptor, path, refuse);
      sweep(path);
      return readKey(descriptor, path);
    });
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    if (errorCode(error) === "ENOTDIR") return null;
    throw unsafe(path, `cannot be opened (${reasonOf(error)})`);
  }
}

/** Each draft of a process that was killed is a key. Where the folder can only be read, they stay. */
function sweep(path: string): void {
  try {
    sweepDeadDrafts(dirname(path));
  } catch {
    // The key is what is asked for.
  }
}

function readKey(descriptor: number, path: string): KeyContent {
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  const bytesRead = readSync(descriptor, buffer, 0, buffer.length, 0);
  const content = buffer.subarray(0, bytesRead);
  if (bytesRead === KEY_BYTES && !isText(content)) return { kind: "bytes", material: Buffer.from(content) };
  if (bytesRead > MAX_BYTES || !isText(content)) {
    throw new AutokestraError("KEY_INVALID", `The key file ${path} holds neither text nor 32 raw bytes`);
  }
  const key = parseKeyText(content.toString("utf8"), path);
  buffer.fill(0);
  return key;
}

/**
 * Writes a new random key to a file that does not exist yet, 0600 in a folder of 0700. The file appears under its name only
 * when it is whole and on the disk, so that another process never reads half a key.
 *
 * @returns false where another process was faster
 * @throws AutokestraError `KEY_UNREADABLE` where the file cannot be written
 */
export async function createKeyFile(path: string): Promise<boolean> {
  try {
    makePrivateFolder(dirname(path));
    const created = createPrivateFile(path, `${randomBytes(KEY_BYTES).toString("hex")}\n`);
    return created;
  } catch (error) {
    throw unsafe(path, `cannot be written (${reasonOf(error)})`);
  }
}

/** UTF-8 without control characters, but for the line end. A random key of 32 bytes is that once in 10^14 times. */
function isText(bytes: Buffer): boolean {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) && !/[\p{Cc}\ufffd]/u.test(text.replace(/\r?\n$/, ""));
}

function reasonOf(error: unknown): string {
  return errorCode(error) || "unknown error";
}

function unsafe(path: string, what: string, hint?: string): AutokestraError {
  return new AutokestraError("KEY_UNREADABLE", `The key file ${path} ${what}`, { hint });
}
