import { chmodSync, closeSync, constants, fstatSync, lstatSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, MAX_SECRET_LENGTH, quotePath } from "@autokestra/secrets-core/internal";

/** Whether something has this name, even a link that leads nowhere. */
export function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/**
 * Checks that only its owner can read an open file, that the owner is this user or root, and that not everybody can put
 * another in its place.
 *
 * @param path the file's, for its folder and the hints
 * @throws what `refuse` makes of `can be read by others`, `belongs to another user` or `lies in a folder that everybody can
 * write to`, with the command to run
 */
export function checkPrivateFile(descriptor: number, path: string, refuse: Refuse): void {
  const { mode, uid } = fstatSync(descriptor);
  const me = process.geteuid?.() ?? uid;
  if (uid !== me && uid !== 0) throw refuse("belongs to another user", `Make it yours: chown ${me} '${path}'`);
  if ((mode & OTHERS) !== 0) throw refuse("can be read by others", `Run: chmod 600 '${path}'`);
  checkFolder(dirname(path), refuse);
}

/**
 * Checks that not everybody can replace the files in a folder. In a sticky one, such as /tmp, only the owner of a file can.
 *
 * @throws what `refuse` makes of `lies in a folder that everybody can write to`
 */
export function checkFolder(folder: string, refuse: Refuse): void {
  const { mode } = statSync(folder);
  if ((mode & 0o002) === 0 || (mode & STICKY) !== 0) return;
  throw refuse("lies in a folder that everybody can write to", `Run: chmod o-w '${folder}'`);
}

/**
 * Opens a file for reading, following no link and waiting for no pipe, and closes it after `work`. What `work` finds out about
 * the descriptor is true of what it reads from it: nothing can be put in its place in between.
 *
 * @param work gets null where there is no file; not to be asynchronous, the file would be closed too early
 * @throws what `refuse` makes of `is a symbolic link` or `is not a regular file`, an error of the file system, or what `work`
 * throws
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
  // O_NONBLOCK: to open a named pipe must not wait for its other end.
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
 * Takes a file or folder away from group and others.
 *
 * @throws what `refuse` makes of `other users can reach "/srv/secrets"`, where it is not ours to change
 */
export function restrictToOwner(place: string, mode: "600" | "700", refuse: Refuse): void {
  try {
    chmodSync(place, mode);
  } catch (error) {
    if (errorCode(error) !== "EPERM") throw error;
    throw exposed(place, `Its owner must run \`chmod ${mode} ${quotePath(place)}\`.`, refuse);
  }
}

/** The error for a place that stays open to others. */
export function exposed(place: string, hint: string, refuse: Refuse): Error {
  return refuse(`other users can reach ${quotePath(place)}`, hint);
}

/** Permission bits of group and others. */
export const OTHERS = 0o077;

/** In a folder with this bit only the owner of a file can remove or replace it, as in /tmp. */
export const STICKY = 0o1000;

/**
 * Tells whether two looks have seen the same file. That of an open file is safe from being given to another; that of a path
 * is its own where it is a link.
 *
 * @param place a path or a descriptor
 * @returns null where there is no such file
 */
export function fileIdentity(place: string | number): string | null {
  // Numbers would round what some file systems count beyond 2^53.
  const options = { bigint: true } as const;
  const stat =
    typeof place === "number" ? fstatSync(place, options) : lstatSync(place, { ...options, throwIfNoEntry: false });
  return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
}

/**
 * Makes the error that is thrown for a place that is not private enough. Which class and code it has is the caller's to say.
 *
 * @param problem what is wrong, in the words that each function tells; never what a file holds
 * @param hint what to do about it
 */
export type Refuse = (problem: string, hint?: string) => Error;

/**
 * Reads a value from a file or from standard input: UTF-8, at most 16 MiB, less one newline at the end. A byte order mark
 * stays.
 *
 * @param source where the bytes are from, for the message
 * @throws AutokestraError `VALUE_INVALID` where there are more bytes, or bytes that are not UTF-8
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
 * Reads at most 16 MiB.
 *
 * @param source where the bytes are from, for the message
 * @throws AutokestraError `VALUE_INVALID` where there are more
 */
export async function readBytes(bytes: AsyncIterable<Uint8Array>, source: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.length;
    if (length > MAX_SECRET_LENGTH) throw new AutokestraError("VALUE_INVALID", `${source} holds more than 16 MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
