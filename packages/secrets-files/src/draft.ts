import { closeSync, fchmodSync, fsyncSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const SUFFIX = /^\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.draft$/;

/**
 * Writes a file beside `path` for `publish` to give it that name. It is whole, on the disk and has mode 0600 by then, whatever
 * the umask; if it still has its own name afterwards, it is removed.
 */
export function withDraft<T>(path: string, content: string | Uint8Array, publish: (draft: string) => T): T {
  const draft = `${path}.${crypto.randomUUID()}.draft`;
  try {
    writeNewFile(draft, content);
    return publish(draft);
  } finally {
    rmSync(draft, { force: true });
  }
}

function writeNewFile(path: string, content: string | Uint8Array): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Removes the drafts of `path` that killed processes have left behind. Call it only where a living process can do without its
 * own: once the file that it wants to create is there, or while holding the lock that it needs for replacing.
 */
export function sweepDrafts(path: string): void {
  const folder = dirname(path);
  const name = basename(path);
  for (const entry of readdirSync(folder)) {
    if (entry.startsWith(name) && SUFFIX.test(entry.slice(name.length))) rmSync(join(folder, entry), { force: true });
  }
}
