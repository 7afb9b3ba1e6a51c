import { closeSync, fsyncSync, openSync } from "node:fs";

/** Puts the names in a folder on the disk: the fsync of a file does not. */
export function syncFolder(folder: string): void {
  syncFile(folder);
}

/** Puts the content of a file on the disk. */
export function syncFile(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
