import { randomBytes } from "node:crypto";
import { constants, type FileHandle, link, mkdir, open, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AutokestraError, type MasterKey } from "@autokestra/secrets-core";
import { KEY_BYTES } from "./aes-gcm.ts";
import { parseKeyText } from "./key-text.ts";

/** No key file is longer than this; a passphrase of a kilobyte is a mistake. */
const MAX_BYTES = 1024;

/**
 * Reads a key file: the forms of `parseKeyText`, or 32 raw bytes. All checks are made on the opened file, so that nothing can
 * be put in its place between the check and the reading.
 *
 * @returns null where there is no such file
 * @throws AutokestraError `KEY_UNREADABLE` for a link, another owner, a file that others can read, a folder in which
 * anybody can replace it; `KEY_INVALID`
 */
export async function readKeyFile(path: string): Promise<Pick<MasterKey, "kind" | "material"> | null> {
  const file = await openKeyFile(path);
  if (file === null) return null;
  try {
    await checkSafe(file, path);
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    const content = buffer.subarray(0, bytesRead);
    if (bytesRead === KEY_BYTES && !isText(content)) return { kind: "bytes", material: Buffer.from(content) };
    if (bytesRead > MAX_BYTES || !isText(content)) {
      throw new AutokestraError("KEY_INVALID", `The key file ${path} holds neither text nor 32 raw bytes`);
    }
    const key = parseKeyText(content.toString("utf8"), path);
    buffer.fill(0);
    return key;
  } finally {
    await file.close();
  }
}

async function openKeyFile(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    if (code === "ELOOP") throw unsafe(path, "is a symbolic link", "Give the path of the file itself with --key-file.");
    throw unsafe(path, `cannot be opened (${code})`);
  }
}

async function checkSafe(file: FileHandle, path: string): Promise<void> {
  const info = await file.stat();
  const { mode, uid } = info;
  const me = process.geteuid?.() ?? uid;
  if (!info.isFile()) throw unsafe(path, "is not a regular file");
  if (uid !== me && uid !== 0) throw unsafe(path, "belongs to another user", `Make it yours: chown ${me} '${path}'`);
  if ((mode & 0o077) !== 0) throw unsafe(path, "can be read by others", `Run: chmod 600 '${path}'`);
  const folder = await stat(dirname(path));
  const anybodyCanReplace = (folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0;
  if (anybodyCanReplace) {
    throw unsafe(path, "lies in a folder that everybody can write to", `Run: chmod o-w '${dirname(path)}'`);
  }
}

/**
 * Writes a new random key to a file that does not exist yet, 0600 in a folder of 0700. The file appears under its name only
 * when it is whole and on the disk, so that another process never reads half a key.
 *
 * @returns false where another process was faster
 * @throws AutokestraError `KEY_UNREADABLE` where the file cannot be written
 */
export async function createKeyFile(path: string): Promise<boolean> {
  const folder = dirname(path);
  const temporary = join(folder, `.secret.key.${randomBytes(8).toString("hex")}.tmp`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeNew(temporary, `${randomBytes(KEY_BYTES).toString("hex")}\n`);
    try {
      await link(temporary, path);
    } finally {
      await unlink(temporary);
    }
    await syncFolder(folder);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw unsafe(path, `cannot be written (${errorCode(error)})`);
  }
}

async function writeNew(path: string, content: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** UTF-8 without control characters, but for the line end. A random key of 32 bytes is that once in 10^14 times. */
function isText(bytes: Buffer): boolean {
  const text = bytes.toString("utf8");
  return Buffer.from(text).equals(bytes) && !/[\p{Cc}\ufffd]/u.test(text.replace(/\r?\n$/, ""));
}

function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown error";
}

function unsafe(path: string, what: string, hint?: string): AutokestraError {
  return new AutokestraError("KEY_UNREADABLE", `The key file ${path} ${what}`, { hint });
}
