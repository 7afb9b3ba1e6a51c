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
import { z } from "@autokestra/secrets-core";

/** A larger file is none of ours. */
const MAX_BYTES = 4 * 1024 * 1024;

/** How long a writer waits for the others, in milliseconds. */
const LOCK_WAIT = 2000;

/** What a file in the key folder says. */
export interface PrivateJson<T> {
  readonly content: T;
  /** Why it counts as empty although there is a file, such as `can be read by others`; null where it is as it must be. */
  readonly problem: string | null;
}

/** A schema, as far as it is used here. */
interface Parser<T> {
  parse(json: unknown): T;
}

/** Reads a JSON file, 0600, of the key folder. One that is damaged, of another owner or open to others counts as empty. */
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
 * Changes a JSON file of the key folder while no other process does. Best effort: it never throws, and leaves a file alone that
 * cannot be read.
 *
 * @param change returns null where nothing is to be changed
 * @returns false where it was not written
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

/** Removes what killed processes have left beside a file of the key folder. Best effort: in a folder that can only be read it stays. */
export function sweepBeside(path: string): void {
  try {
    sweepDeadTemporaryFiles(dirname(path));
  } catch {
    // It is in nobody's way.
  }
}

class UnusableError extends Error {}

function problemOf(error: unknown): string {
  if (error instanceof UnusableError) return error.message;
  if (error instanceof z.ZodError || error instanceof SyntaxError) return "is damaged";
  return `cannot be read: ${systemReason(error) ?? "unknown error"}`;
}
