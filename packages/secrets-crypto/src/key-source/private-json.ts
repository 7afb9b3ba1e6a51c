import { fstatSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import {
  checkPrivateFile,
  makePrivateFolder,
  replacePrivateFile,
  sweepDeadTemporaryFiles,
  systemReason,
  withLockFile,
  withOpenFile,
} from "@autokestra/private-files";
import { z } from "@autokestra/secrets-core/internal";

/** autokestra does not write larger files. */
const MAX_BYTES = 4 * 1024 * 1024;

/** How long a writer waits for the others, in milliseconds. */
const LOCK_WAIT = 2000;

/** The content of a file in the key folder. */
export interface PrivateJson<T> {
  readonly content: T;
  /** Why an existing file counts as empty, such as `can be read by others`; null if nothing is wrong. */
  readonly problem: string | null;
}

/** The part of a schema that is used here. */
interface Parser<T> {
  parse(json: unknown): T;
}

/** Reads a JSON file (0600) of the key folder. It counts as empty if it is damaged or not private. */
export function readPrivateJson<T>(path: string, schema: Parser<T>, empty: T): PrivateJson<T> {
  const refuse = (problem: string) => new UnusableError(problem);
  try {
    const text = withOpenFile(path, refuse, (descriptor) => {
      if (descriptor === null) return null;
      checkPrivateFile(descriptor, path, refuse);
      if (fstatSync(descriptor).size > MAX_BYTES) throw refuse("is too large");
      return readFileSync(descriptor, "utf8");
    });
    if (text === null) return { content: empty, problem: null };
    return { content: schema.parse(JSON.parse(text)), problem: null };
  } catch (error) {
    return { content: empty, problem: problemOf(error) };
  }
}

/**
 * Changes a JSON file of the key folder under a lock. Best effort: it never throws, and does not touch a file that
 * cannot be read.
 *
 * @param change returns the new content, or null for no change
 * @returns false if the file was not written
 */
export async function updatePrivateJson<T>(
  path: string,
  schema: Parser<T>,
  empty: T,
  change: (content: T) => T | null,
): Promise<boolean> {
  try {
    makePrivateFolder(dirname(path));
    const written = await withLockFile(path, LOCK_WAIT, async (isHeld) => {
      const { content, problem } = readPrivateJson(path, schema, empty);
      const next = problem === null ? change(content) : null;
      return next !== null && replacePrivateFile(path, `${JSON.stringify(next, null, 2)}\n`, isHeld);
    });
    return written === true;
  } catch {
    return false;
  }
}

/** Removes temporary files of killed processes beside a file of the key folder. Best effort: never throws. */
export function sweepBeside(path: string): void {
  try {
    sweepDeadTemporaryFiles(dirname(path));
  } catch {
    // In a read-only folder they stay, and do no harm.
  }
}

class UnusableError extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof UnusableError) return error.message;
  if (error instanceof z.ZodError || error instanceof SyntaxError) return "is damaged";
  return `cannot be read: ${systemReason(error) ?? "unknown error"}`;
}
