import { lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { defaultKeyFolder } from "@autokestra/secrets-crypto";
import { hasStore } from "./driver-record.ts";
import { driverOfUrl } from "./drivers.ts";
import { type Location, locationText, parseLocation } from "./location.ts";

const NAME = ".workflow";

/** Where secrets and runs are looked for. */
export interface PlaceOptions {
  /** Where `WORKFLOW_SECRETS_STORAGE_PATH` and HOME are looked for. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * The folder of the secrets, or the URL of a store for which there is a driver. Default: `WORKFLOW_SECRETS_STORAGE_PATH`, else the nearest `.workflow/secrets` that has a store, from
   * the working directory up to the root of the repository; in the working directory where there is none.
   */
  readonly storagePath?: string | undefined;
}

/**
 * Where the secrets are. A path that is given is taken as it is.
 *
 * @throws AutokestraError `OPTION_INVALID` for a URL that no driver takes
 */
export function storeLocation(options: PlaceOptions = {}): Location {
  const location = chosenLocation(options);
  if (location.kind === "url") driverOfUrl(location.url);
  return location;
}

/**
 * The folder of the secrets, absolute.
 *
 * @throws AutokestraError `OPTION_INVALID` where they are in none
 */
export function storeFolder(options: PlaceOptions = {}): string {
  const location = storeLocation(options);
  if (location.kind === "folder") return location.path;
  throw new AutokestraError("OPTION_INVALID", `The secrets at ${locationText(location)} are not in a folder`, {
    hint: "This is possible only with the secrets of a folder.",
  });
}

function chosenLocation(options: PlaceOptions): Location {
  const { env = process.env, storagePath = env["WORKFLOW_SECRETS_STORAGE_PATH"] } = options;
  if (storagePath !== undefined && storagePath !== "") return parseLocation(storagePath);
  const nearest = searchedFolders(options).find((folder) => hasStore(join(folder, NAME, "secrets")));
  return { kind: "folder", path: join(nearest ?? process.cwd(), NAME, "secrets") };
}

/** The file of the run history: in the `.workflow` folder that the secrets are in, else in the nearest one that has a history. */
export function runsFile(options: PlaceOptions = {}): string {
  const secrets = chosenLocation(options);
  if (secrets.kind === "folder" && hasStore(secrets.path) && basename(dirname(secrets.path)) === NAME) {
    return join(dirname(secrets.path), "runs.db");
  }
  const nearest = searchedFolders(options).find((folder) => isThere(join(folder, NAME, "runs.db")));
  return join(nearest ?? process.cwd(), NAME, "runs.db");
}

/**
 * The working directory, and the folders above it as far as they can be trusted: up to the root of a repository; not the home folder,
 * the root of the file system, a folder of another owner or one in which everybody may write, such as `/tmp`, and nothing above those.
 */
function searchedFolders({ env = process.env }: PlaceOptions): string[] {
  const start = process.cwd();
  const home = homeFolder(env);
  const folders = [start];
  for (let folder = start; !isEnd(folder, home); folder = dirname(folder)) {
    const parent = dirname(folder);
    if (isForeign(parent) || parent === home || parent === dirname(parent)) break;
    folders.push(parent);
  }
  return folders;
}

/** Nothing above this folder belongs to it. */
function isEnd(folder: string, home: string | null): boolean {
  return folder === home || isForeign(folder) || isThere(join(folder, ".git"));
}

/** A folder in which others can put things, or that cannot be seen. */
function isForeign(folder: string): boolean {
  try {
    const { uid, mode } = statSync(folder);
    return uid !== process.geteuid?.() || (mode & 0o002) !== 0;
  } catch {
    return true;
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function homeFolder(env: NodeJS.ProcessEnv): string | null {
  const keys = defaultKeyFolder(env);
  if (keys === null) return null;
  try {
    return realpathSync(dirname(keys));
  } catch {
    return dirname(keys);
  }
}
