import { lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";

/**
 * Keeps what V8 makes of our code, which shortens every start but the first. Whoever could write there could put code of their own
 * into the command: the folder is ours alone, in folders that only we can change, and nothing is kept where it is not.
 */
export function keepCompiledCode(): void {
  const folder = cacheFolder(homedir());
  if (folder !== null) keepScripts(folder, import.meta.dirname);
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

/**
 * A `.cjs` file in the folder `code` is run from what was kept of it, with the functions that were called: the compile cache that Node
 * has since version 22 keeps none of those. The checksum in front is of the source and of what follows: V8 looks at neither, and what a
 * loss of power has left of a file would crash it.
 */
function keepScripts(folder: string, code: string): void {
  const { createRequire, Module } = process.getBuiltinModule("node:module");
  const { Script } = process.getBuiltinModule("node:vm");
  const { crc32 } = process.getBuiltinModule("node:zlib");
  const { extensions } = createRequire(join(code, "any.cjs"));
  const load = extensions[".js"];
  // Two copies of the command do not take turns in replacing what the other one has kept.
  const suffix = `.${process.version}-${process.arch}-${crc32(code).toString(16)}`;
  const writes: (() => void)[] = [];

  function run(module: NodeJS.Module, file: string): void {
    const bytes = readFileSync(file);
    const source = Module.wrap(bytes.toString("utf8"));
    const sum = (data: Uint8Array) => crc32(data, crc32(bytes)).toString(16).padStart(SUM_LENGTH, "0");
    const kept = join(folder, `${basename(file)}${suffix}`);
    const cachedData = readKept(kept, sum);
    const script = new Script(source, { filename: file, ...(cachedData === undefined ? {} : { cachedData }) });
    if (script.cachedDataRejected !== false) writes.push(() => writeKept(kept, script.createCachedData(), sum));
    script.runInThisContext().call(module.exports, module.exports, module.require.bind(module), module, file, code);
  }

  extensions[".cjs"] = (module, file) => (dirname(file) === code ? run(module, file) : load?.(module, file));
  // At the end: with all the functions that were called.
  process.on("exit", () => {
    for (const write of writes) write();
  });
}

const SUM_LENGTH = 8;

function readKept(path: string, sum: (data: Uint8Array) => string): Buffer | undefined {
  try {
    const bytes = readFileSync(path);
    const data = bytes.subarray(SUM_LENGTH);
    return sum(data) === bytes.toString("latin1", 0, SUM_LENGTH) ? data : undefined;
  } catch {
    return undefined;
  }
}

function writeKept(path: string, data: Uint8Array, sum: (data: Uint8Array) => string): void {
  try {
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, Buffer.concat([Buffer.from(sum(data), "latin1"), data]), { mode: 0o600 });
    renameSync(draft, path);
  } catch {
    // The next start tries again.
  }
}
