import { lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";

/**
 * Keeps what V8 makes of our code, which shortens every start but the first. Anyone who could write there could put code of their own
 * into the command. The folder must be ours alone, in folders that only we can change; otherwise nothing is kept.
 */
export function keepCompiledCode(): void {
  const folder = cacheFolder(homeOrNone());
  if (folder !== null) keepScripts(folder, import.meta.dirname);
}

function homeOrNone(): string {
  try {
    return homedir();
  } catch {
    // A container can run as a user without an account.
    return "";
  }
}

/** `~/.cache/autokestra`, created if it is missing; null if it is not safe. */
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

/**
 * A `.cjs` file in the folder `code` is run from what was kept of it, with the functions that were called: the compile cache that Node
 * has since version 22 keeps none of those.
 */
function keepScripts(folder: string, code: string): void {
  const { createRequire, Module } = process.getBuiltinModule("node:module");
  const { Script } = process.getBuiltinModule("node:vm");
  const { extensions } = createRequire(join(code, "any.cjs"));
  const load = extensions[".js"];
  // Two copies of the command do not take turns in replacing what the other one has kept.
  const suffix = `.${process.version}-${process.arch}${encodeURIComponent(code).slice(-MAX_SUFFIX_LENGTH)}`;
  const [head = "", tail = ""] = Module.wrap("\0").split("\0");
  const writes: (() => void)[] = [];

  function run(module: NodeJS.Module, file: string): void {
    const bytes = readFileSync(file);
    const path = join(folder, `${basename(file)}${suffix}`);
    const kept = readKept(path, bytes, { head, tail });
    const source = kept?.source ?? Module.wrap(bytes.toString("utf8"));
    const script = new Script(source, { filename: file, ...(kept === null ? {} : { cachedData: kept.data }) });
    if (script.cachedDataRejected !== false) writes.push(() => writeKept(path, source, script.createCachedData()));
    script.runInThisContext().call(module.exports, module.exports, module.require.bind(module), module, file, code);
  }

  extensions[".cjs"] = (module, file) => (dirname(file) === code ? run(module, file) : load?.(module, file));
  // At the end: with all the functions that were called.
  process.on("exit", () => {
    for (const write of writes) write();
  });
}

const MAX_SUFFIX_LENGTH = 100;

/**
 * What was kept of this code. Its source stands in front, as it is run: V8 compares no more than the length, and to put `head` and
 * `tail` around it would make one more copy.
 */
function readKept(
  path: string,
  code: Buffer,
  { head, tail }: { readonly head: string; readonly tail: string },
): { readonly source: string; readonly data: Buffer } | null {
  try {
    const bytes = readFileSync(path);
    const end = head.length + code.length;
    if (!code.equals(bytes.subarray(head.length, end))) return null;
    const length = end + tail.length;
    const source = bytes.toString("utf8", 0, length);
    return source.startsWith(head) && source.endsWith(tail) ? { source, data: bytes.subarray(length) } : null;
  } catch {
    return null;
  }
}

/** On the disk before it has its name: what a loss of power leaves of a file would crash V8, which does not check it. */
function writeKept(path: string, source: string, data: Uint8Array): void {
  try {
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, Buffer.concat([Buffer.from(source), data]), { mode: 0o600, flush: true });
    renameSync(temporary, path);
  } catch {
    // The next start tries again.
  }
}
