import { fstatSync, readFileSync } from "node:fs";
import { createPrivateFile } from "./create-private-file.ts";
import { sweepDrafts } from "./draft.ts";
import { withOpenFile } from "./open-file.ts";
import { OTHERS } from "./permission.ts";

/**
 * Keeps what a file holds before it gets another layout, as `secrets.db.v1.backup` beside it with mode 0600, on the disk. A name
 * that something else has gets a number: `secrets.db.v1.2.backup`. What an upgrade that was killed has left counts as kept.
 *
 * @param path the file, whose lock is held
 * @param layout the version that it has
 */
export function keepBackup(path: string, layout: number, content: Uint8Array): void {
  for (let count = 1; ; count++) {
    const backup = count === 1 ? `${path}.v${layout}.backup` : `${path}.v${layout}.${count}.backup`;
    sweepDrafts(backup);
    if (createPrivateFile(backup, content) || isPrivateCopy(backup, content)) return;
  }
}

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
