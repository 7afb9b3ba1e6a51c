import { linkSync } from "node:fs";
import { dirname } from "node:path";
import { withDraft } from "./draft.ts";
import { fileIdentity } from "./file-identity.ts";
import { syncFile, syncFolder } from "./sync-folder.ts";

/**
 * Creates a file with mode 0600 in a folder that is there. It appears under its name only when it is whole, and no process
 * ever reads half of it; of many that create it at once, one does. File and name are on the disk when this returns, also where
 * the file is that of another.
 *
 * @returns false, and changes nothing, where there is something of this name already
 */
export function createPrivateFile(path: string, content: string | Uint8Array): boolean {
  return publishNew(path, content, () => undefined);
}

/**
 * Creates a file as {@link createPrivateFile} does, with what `build` writes into the empty one that it is given.
 *
 * @returns false, and changes nothing, where there is something of this name already
 */
export function buildPrivateFile(path: string, build: (draft: string) => void): boolean {
  return publishNew(path, "", (draft) => {
    build(draft);
    syncFile(draft);
  });
}

function publishNew(path: string, content: string | Uint8Array, build: (draft: string) => void): boolean {
  const created = linkNew(path, content, build);
  syncFolder(dirname(path));
  return created;
}

function linkNew(path: string, content: string | Uint8Array, build: (draft: string) => void): boolean {
  try {
    withDraft(path, content, (draft) => {
      build(draft);
      linkSync(draft, path);
    });
    return true;
  } catch (error) {
    // Whoever was faster may have swept the draft: what counts is the file, not the error.
    if (fileIdentity(path) === null) throw error;
    return false;
  }
}
