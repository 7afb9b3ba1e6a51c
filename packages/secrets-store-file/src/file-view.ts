import { readFileSync } from "node:fs";
import { storeUnavailable } from "@autokestra/secrets-core";
import { fileIdentity, withOpenFile } from "@autokestra/secrets-files";

/** A file as it was at one moment. */
export interface FileView {
  /** Null where there was no file. */
  readonly bytes: Uint8Array | null;
  /** True while the path still leads to this very file, or still to none. */
  readonly isCurrent: () => boolean;
}

/**
 * Reads the file for `work`, following no link. It stays open until `work` is done: its inode is not used again before, and
 * so `isCurrent` cannot mistake a new file for the old one.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` (a link, a folder, …), an error of the file system, or what `work` throws
 */
export function withFileView<T>(path: string, work: (view: FileView) => T): T {
  const refuse = (problem: string) => storeUnavailable(path, `it ${problem}`, "Give the path of the file itself.");
  return withOpenFile(path, refuse, (descriptor) => {
    const identity = descriptor === null ? null : fileIdentity(descriptor);
    const bytes = descriptor === null ? null : readFileSync(descriptor);
    return work({ bytes, isCurrent: () => fileIdentity(path) === identity });
  });
}
