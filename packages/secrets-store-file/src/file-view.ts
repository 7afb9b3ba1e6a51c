import { type BigIntStats, fstatSync, lstatSync, readFileSync } from "node:fs";
import { fileIdentity, withOpenFile } from "@autokestra/private-files";
import { storeUnavailable } from "@autokestra/secrets-core";

/** Some file systems count the time of a change in steps of 2 seconds, and all in steps of some milliseconds. */
const TIME_STEP = 2000;

/** A file as it is at one moment. */
export interface FileView {
  /** What it holds; null where there is no file. */
  readonly read: () => Uint8Array | null;
  /** As long as a file has the same stamp it holds the same. Null where there is no file, or where a stamp cannot tell yet. */
  readonly stamp: string | null;
  /** True while the path still leads to this very file, or still to none. */
  readonly isCurrent: () => boolean;
}

/**
 * Opens the file for `work`, following no link. It stays open until `work` is done: its inode is not used again before, and
 * so `isCurrent` cannot mistake a new file for the old one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` (a link, a folder, …), an error of the file system, or what `work` throws
 */
export function withFileView<T>(path: string, work: (view: FileView) => T): T {
  const refuse = (problem: string) => storeUnavailable(path, `it ${problem}`, "Give the path of the file itself.");
  return withOpenFile(path, refuse, (descriptor) => {
    const identity = descriptor === null ? null : fileIdentity(descriptor);
    let content: Uint8Array | null = null;
    return work({
      read: () => {
        // A descriptor gives what it holds only once.
        content ??= descriptor === null ? null : readFileSync(descriptor);
        return content;
      },
      stamp: descriptor === null ? null : stampOf(descriptor),
      isCurrent: () => fileIdentity(path) === identity,
    });
  });
}

/**
 * A file that is replaced gets another time of change even if it gets the same inode. One that is changed in place, twice
 * within a step of the clock, does not: until that step is over there is no stamp.
 */
function stampOf(descriptor: number): string | null {
  const stat = fstatSync(descriptor, { bigint: true });
  const isSettled = Number(stat.ctimeMs) + TIME_STEP < Date.now();
  return isSettled ? formatState(stat) : null;
}

/** The same for as long as nobody changes or replaces the file; null where there is none. */
export function stateOf(path: string): string | null {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? null : formatState(stat);
}

function formatState({ dev, ino, size, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${ctimeNs}`;
}
