import { closeSync, fchmodSync, fsync, linkSync, openSync, rmSync, writeFileSync } from "node:fs";
import { linkNewFile } from "./atomic-file.ts";
import { temporaryPath } from "./temporary-file.ts";

/**
 * Creates a file as `createPrivateFile` does, from content that comes piece by piece.
 *
 * @param check called with the path of the complete file before it gets its name. What it throws keeps it from getting it
 * @returns false if the path exists already; nothing is changed then
 */
export async function streamPrivateFile(
  path: string,
  content: AsyncIterable<Uint8Array>,
  check: (temporary: string) => Promise<void>,
): Promise<boolean> {
  const temporary = temporaryPath(path);
  try {
    await writePieces(temporary, content);
    await check(temporary);
    return linkNewFile(path, () => linkSync(temporary, path));
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** With what every command has loaded: `node:fs/promises` would be loaded for this alone. */
async function writePieces(path: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    for await (const piece of content) writeFileSync(descriptor, piece);
    // Not synchronous, because it can take long.
    await new Promise<void>((resolve, reject) => {
      fsync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    closeSync(descriptor);
  }
}
