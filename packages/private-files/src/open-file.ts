import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { errorCode } from "@autokestra/secrets-core";
import type { Refuse } from "./refuse.ts";

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
