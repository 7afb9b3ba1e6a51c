import { lstatSync, readFileSync } from "node:fs";
import { createPrivateFile, sweepDrafts } from "@autokestra/secrets-files";

/**
 * Keeps a database of version 1 beside the one that is upgraded, as `secrets.db.v1.backup` with mode 0600, on the disk. A name that
 * something else has gets a number: `secrets.db.v1.2.backup`.
 */
export function keepBackup(path: string, bytes: Uint8Array): void {
  for (let count = 1; ; count++) {
    const backup = count === 1 ? `${path}.v1.backup` : `${path}.v1.${count}.backup`;
    sweepDrafts(backup);
    if (createPrivateFile(backup, bytes) || isCopy(backup, bytes)) return;
  }
}

/** True for what an upgrade that was killed has left. */
function isCopy(path: string, bytes: Uint8Array): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size === bytes.length && readFileSync(path).equals(bytes);
}
