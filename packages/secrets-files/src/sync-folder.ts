import { closeSync, fsyncSync, openSync } from "node:fs";

/** Puts the names in a folder on the disk: the fsync of a file does not. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
