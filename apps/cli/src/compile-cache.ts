import { lstatSync, mkdirSync } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** What Node 22 and later have there. */
interface CompileCache {
  readonly enableCompileCache?: (folder: string) => unknown;
}

/**
 * Lets Node keep what it makes of our code, which shortens every start but the first. Whoever could write there could put code of their
 * own into the command: the folder is ours alone, in folders that only we can change, and nothing is kept where it is not.
 */
export function keepCompiledCode(): void {
  const { enableCompileCache } = nodeModule as CompileCache;
  if (enableCompileCache === undefined) return;
  const folder = cacheFolder(homedir());
  if (folder !== null) enableCompileCache(folder);
}

/** `~/.cache/autokestra`, made where it is missing; null where it is not safe. */
export function cacheFolder(home: string): string | null {
  if (!isAbsolute(home)) return null;
  const caches = join(home, ".cache");
  const ours = join(caches, "autokestra");
  try {
    return isOurs(home, 0o022) && isMade(caches, 0o022) && isMade(ours, 0o077) ? ours : null;
  } catch {
    return null;
  }
}

function isMade(folder: string, forbidden: number): boolean {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o700 });
  return isOurs(folder, forbidden);
}

/** True for a folder, no link to one, that is ours and that others can do none of this to. */
function isOurs(folder: string, forbidden: number): boolean {
  const stats = lstatSync(folder);
  return stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & forbidden) === 0;
}
