import { fstatSync, readFileSync } from "node:fs";
import type { StoreLayout } from "@autokestra/secrets-core";
import { createPrivateFile, OTHERS, sweepDrafts, withOpenFile } from "@autokestra/secrets-files";

/**
 * Keeps what a file holds before it gets another layout, as `secrets.json.v1.backup` with mode 0600, on the disk. A name that is in
 * use for something else gets a number: `secrets.json.v1.2.backup`.
 *
 * @param path the file of the store, whose lock is held
 */
export function keepBackup(path: string, layout: StoreLayout, content: Uint8Array | null): void {
  if (content === null) return;
  for (let count = 1; ; count++) {
    const backup = count === 1 ? `${path}.v${layout}.backup` : `${path}.v${layout}.${count}.backup`;
    sweepDrafts(backup);
    if (createPrivateFile(backup, content) || isPrivateCopy(backup, content)) return;
  }
}

/** True for what an upgrade that was killed has left. */
function isPrivateCopy(path: string, content: Uint8Array): boolean {
  try {
    return withOpenFile(
      path,
      (problem) => new Error(problem),
      (descriptor) => {
        if (descriptor === null || (fstatSync(descriptor).mode & OTHERS) !== 0) return false;
        return readFileSync(descriptor).equals(content);
      },
    );
  } catch {
    // A link, a folder, a file of somebody else: not ours.
    return false;
  }
}
