import { chmodSync, closeSync, constants, fstatSync, lstatSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, MAX_SECRET_LENGTH, quotePath } from "@autokestra/secrets-core/internal";

/** Whether something has this name, even a link that leads nowhere. */
export function pathExists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Checks that an open file can be read only by its owner, that the owner is this user or root, and that not everyone
 * can replace it.
 *
 * @param descriptor the open file: see {@link withOpenFile}
 * @param path its path, for its folder and for hints
 * @throws what `refuse` returns for `can be read by others`, `belongs to another user` or `lies in a folder that
 * everybody can write to`, with the command to run as hint
 */
export function checkPrivateFile(descriptor: number, path: string, refuse: Refuse): void {
  const { mode, uid } = fstatSync(descriptor);
  const me = process.geteuid?.() ?? uid;
  if (uid !== me && uid !== 0) throw refuse("belongs to another user", `Make it yours: chown ${me} '${path}'`);
  if ((mode & GROUP_AND_OTHERS) !== 0) throw refuse("can be read by others", `Run: chmod 600 '${path}'`);
  checkFolder(dirname(path), refuse);
}

/**
 * Checks that not everyone can replace the files in a folder. In a sticky one, such as /tmp, only the owner of a file
 * can.
 *
 * @throws what `refuse` returns for `lies in a folder that everybody can write to`
 */
export function checkFolder(folder: string, refuse: Refuse): void {
  const { mode } = statSync(folder);
  if ((mode & 0o002) === 0 || (mode & STICKY) !== 0) return;
  throw refuse("lies in a folder that everybody can write to", `Run: chmod o-w '${folder}'`);
}

/**
 * Opens a file for reading, without following a link or waiting for a pipe, and closes it after `work`. Check and read
 * the descriptor and not the path, so that the file cannot be replaced in between.
 *
 * @param work gets null if there is no file. It must be synchronous, because the file is closed when it returns
 * @throws what `refuse` returns for `is a symbolic link` or `is not a regular file`; an error of the file system; what
 * `work` throws
 *
 * @example
 * ```ts
 * import { chmodSync, mkdtempSync, readFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { checkPrivateFile, createPrivateFile, withOpenFile } from "@autokestra/private-files";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "demo-")), "token");
 * createPrivateFile(path, "s3cret");
 * const refuse = (problem: string) => new Error(`The token file ${problem}`);
 * const readToken = () =>
 *   withOpenFile(path, refuse, (file) => {
 *     if (file === null) return null;
 *     checkPrivateFile(file, path, refuse);
 *     return readFileSync(file, "utf8");
 *   });
 * console.log(readToken()); // prints s3cret
 *
 * chmodSync(path, 0o644);
 * try {
 *   readToken();
 * } catch (error) {
 *   if (error instanceof Error) console.log(error.message); // prints The token file can be read by others
 * }
 * ```
 */
export function withOpenFile<T>(path: string, refuse: Refuse, work: (descriptor: number | null) => T): T {
  const descriptor = openFile(path, refuse);
  if (descriptor === null) return work(null);
  try {
    if (!fstatSync(descriptor).isFile()) throw refuse("is not a regular file");
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function openFile(path: string, refuse: Refuse): number | null {
  // O_NONBLOCK, because opening a named pipe would otherwise wait for its other end.
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  try {
    return openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT") return null;
    throw code === "ELOOP" ? refuse("is a symbolic link") : error;
  }
}

/**
 * Removes the permissions of group and others from a file or folder.
 *
 * @throws what `refuse` returns for `other users can reach "/srv/secrets"`, if the mode cannot be changed
 */
export function restrictToOwner(place: string, mode: "600" | "700", refuse: Refuse): void {
  try {
    chmodSync(place, mode);
  } catch (error) {
    if (errorCode(error) !== "EPERM") throw error;
    throw openToOthersError(place, `Its owner must run \`chmod ${mode} ${quotePath(place)}\`.`, refuse);
  }
}

/** Returns the error for a path that stays open to others. */
export function openToOthersError(place: string, hint: string, refuse: Refuse): Error {
  return refuse(`other users can reach ${quotePath(place)}`, hint);
}

/** The permission bits of group and others. */
export const GROUP_AND_OTHERS = 0o077;

/** In a folder with this bit, such as /tmp, only the owner of a file can remove or replace it. */
export const STICKY = 0o1000;

/**
 * Returns the device and inode of a file, to compare whether a path still leads to the same file. The identity of an
 * open file is not given to another one while it is open. Does not follow a link.
 *
 * @param place a path or a descriptor
 * @returns null if the path does not exist
 */
export function fileIdentity(place: string | number): string | null {
  // BigInt, because some file systems have inodes beyond 2^53.
  const options = { bigint: true } as const;
  const stat =
    typeof place === "number" ? fstatSync(place, options) : lstatSync(place, { ...options, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}

/**
 * Returns the error for a file or folder that is not private enough. The caller decides its class and code.
 *
 * @param problem what is wrong, in the words that each function documents; contains nothing of the file
 * @param hint what to do about it
 */
export type Refuse = (problem: string, hint?: string) => Error;

/**
 * Reads a value from a stream, such as a file or standard input: UTF-8, at most 16 MiB. Removes one newline at the end,
 * and keeps a byte order mark.
 *
 * @param source what the bytes are, as the subject of a message
 * @throws AutokestraError `VALUE_INVALID` for more bytes, or for bytes that are not UTF-8
 */
export async function readText(bytes: AsyncIterable<Uint8Array>, source: string): Promise<string> {
  const all = await readBytes(bytes, source);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(all).replace(/\r?\n$/, "");
  } catch {
    throw new AutokestraError("VALUE_INVALID", `${source} is not UTF-8 text`, {
      hint: "Encode binary values as base64.",
    });
  }
}

/**
 * Reads at most 16 MiB from a stream.
 *
 * @param source what the bytes are, as the subject of a message
 * @throws AutokestraError `VALUE_INVALID` for more bytes
 */
export async function readBytes(bytes: AsyncIterable<Uint8Array>, source: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > MAX_SECRET_LENGTH) throw new AutokestraError("VALUE_INVALID", `${source} is larger than 16 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
