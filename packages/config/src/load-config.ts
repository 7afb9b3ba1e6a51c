import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { checkFolder, pathExists, trustedFolders } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quotePath } from "@autokestra/secrets-core/internal";
import type { Config } from "./config.ts";

/** The variable for the path of the file. */
export const CONFIG_VARIABLE = "AUTOKESTRA_CONFIG";

const FILES = ["autokestra.config.yaml", "autokestra.config.yml", "autokestra.config.json"];

export interface ConfigOptions {
  /** The environment with `AUTOKESTRA_CONFIG` and `HOME`. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** The path of the file. Default: `AUTOKESTRA_CONFIG`, else the nearest file of the project. */
  readonly path?: string | undefined;
}

/**
 * Finds the configuration: the named file, or the nearest `autokestra.config.yaml` (`.yml`, `.json`) from the working
 * directory up to the root of the repository. Only searches folders to which no other user can write.
 *
 * @returns an absolute path; null if there is none
 * @throws AutokestraError `CONFIG_INVALID` if a folder has two
 */
export function findConfig({ env = process.env, path }: ConfigOptions = {}): string | null {
  const given = path ?? env[CONFIG_VARIABLE];
  if (given !== undefined && given !== "") return resolve(given);
  for (const folder of trustedFolders(env)) {
    const [first, second] = FILES.map((name) => join(folder, name)).filter(pathExists);
    if (first === undefined) continue;
    if (second === undefined) return first;
    throw refuse(first, `is not the only configuration: there is ${quotePath(second)}, too`, "Remove one of them.");
  }
  return null;
}

/**
 * Finds and reads `autokestra.config.yaml`. Refuses a file that others can write to or that belongs to another user,
 * because it names programs and servers that get secrets.
 *
 * @returns null if there is no configuration
 * @throws AutokestraError `CONFIG_NOT_FOUND` if a named file does not exist; `CONFIG_INVALID` if others can write to
 * the file, if it cannot be read, or if its content is invalid (then a `FileError` with all problems)
 *
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { loadConfig } from "@autokestra/config";
 *
 * const path = join(mkdtempSync(join(tmpdir(), "demo-")), "autokestra.config.yaml");
 * writeFileSync(path, "maxVersions: 3\nproviders: { mounted: { type: directory, folder: /run/secrets } }\n");
 * const config = await loadConfig({ path });
 * console.log(config?.maxVersions, Object.keys(config?.providers ?? {})); // prints 3 [ 'mounted' ]
 * ```
 */
export async function loadConfig(options: ConfigOptions = {}): Promise<Config | null> {
  const path = findConfig(options);
  if (path === null) return null;
  // Loaded only now, because most commands find no configuration.
  const { MAX_BYTES, parseConfig } = await import("./config.ts");
  return parseConfig(readConfig(path, MAX_BYTES), path);
}

/** Reads the file, after checking that only this user can have written it. */
function readConfig(path: string, maxBytes: number): string {
  const descriptor = openConfig(path);
  try {
    const file = fstatSync(descriptor);
    const { mode, uid } = file;
    const me = process.geteuid?.() ?? uid;
    if (!file.isFile()) throw refuse(path, "is not a regular file");
    if (uid !== me && uid !== 0)
      throw refuse(path, "belongs to another user", `Make it yours: chown ${me} ${quotePath(path)}`);
    if ((mode & 0o022) !== 0) throw refuse(path, "can be written by others", `Run: chmod go-w ${quotePath(path)}`);
    checkFolder(dirname(path), (problem, hint) => refuse(path, problem, hint));
    // Reads one byte more than the maximum, which the parser refuses.
    const bytes = Buffer.alloc(maxBytes + 1);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, readAll(descriptor, bytes)));
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    throw error instanceof TypeError ? refuse(path, "is not UTF-8 text") : unreadable(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function openConfig(path: string): number {
  try {
    // O_NONBLOCK, because opening a named pipe would otherwise wait for its other end.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw unreadable(path, error);
    throw new AutokestraError("CONFIG_NOT_FOUND", `There is no configuration ${quotePath(path)}`);
  }
}

function readAll(descriptor: number, bytes: Buffer): number {
  let length = 0;
  for (let read = -1; read !== 0 && length < bytes.length; length += read) {
    read = readSync(descriptor, bytes, length, bytes.length - length, null);
  }
  return length;
}

function unreadable(path: string, error: unknown): AutokestraError {
  return refuse(path, `cannot be read (${errorCode(error) || "unknown error"})`);
}

function refuse(path: string, problem: string, hint?: string): AutokestraError {
  return new AutokestraError("CONFIG_INVALID", `The configuration ${quotePath(path)} ${problem}`, { hint });
}
