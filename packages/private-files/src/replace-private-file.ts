import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { errorCode } from "@autokestra/secrets-core";
import { sweepDraftsOfOthers, withDraft } from "./draft.ts";
import { syncFolder } from "./sync-folder.ts";

/**
 * Puts a new file with mode 0600 in the place of the one that is there, if any; readers see the old or the new one, whole.
 * File and name are on the disk when this returns. To be called with a lock held: it removes the drafts of all
 * other processes.
 *
 * @param isCurrent the last look before the replacement
 * @returns false, and changes nothing, where `isCurrent` says no or the draft was swept: the lock was lost
 */
export function replacePrivateFile(path: string, content: string | Uint8Array, isCurrent: () => boolean): boolean {
  sweepDraftsOfOthers(path);
  const replaced = publish(path, content, isCurrent);
  if (replaced) syncFolder(dirname(path));
  return replaced;
}

function publish(path: string, content: string | Uint8Array, isCurrent: () => boolean): boolean {
  try {
    return withDraft(path, content, (draft) => {
      // Nothing in between: the less comes between them, the less a lost lock can do.
      if (!isCurrent()) return false;
      renameSync(draft, path);
      return true;
    });
  } catch (error) {
    // Whoever took the lock has swept the draft.
    if (errorCode(error) === "ENOENT") return false;
    throw error;
  }
}
