import { lstatSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { trustedFolders } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import type { AuditSettings } from "./access/audit-settings.ts";
import { hasStore } from "./driver-record.ts";
import { driverOfUrl } from "./drivers.ts";
import { type Location, locationText, parseLocation } from "./location.ts";

const NAME = ".workflow";

/** Where secrets and runs are looked for. */
export interface PlaceOptions {
  /** Where `WORKFLOW_SECRETS_STORAGE_PATH` and HOME are looked for. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * The folder of the secrets, or the URL of a store for which there is a driver. Default: `WORKFLOW_SECRETS_STORAGE_PATH`, else that of
   * `defaults`, else the nearest `.workflow/secrets` that has a store, from the working directory up to the root of the repository; in
   * the working directory where there is none.
   */
  readonly storagePath?: string | undefined;
  /** What counts where neither an option nor a variable says anything, such as a configuration file. Default: nothing. */
  readonly defaults?: PlaceDefaults | undefined;
}

/** Values of options that a variable of the environment can replace. Paths are absolute. */
export interface PlaceDefaults {
  readonly storagePath?: string | undefined;
  readonly backend?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly maxVersions?: number | undefined;
  readonly runsPath?: string | undefined;
  readonly audit?: AuditSettings | undefined;
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
  const { env = process.env, storagePath = env["WORKFLOW_SECRETS_STORAGE_PATH"], defaults } = options;
  const given = storagePath || defaults?.storagePath;
  if (given !== undefined && given !== "") return parseLocation(given);
  const nearest = trustedFolders(options.env).find((folder) => hasStore(join(folder, NAME, "secrets")));
  return { kind: "folder", path: join(nearest ?? process.cwd(), NAME, "secrets") };
}

/** The file of the run history: in the `.workflow` folder that the secrets are in, else in the nearest one that has a history. */
export function runsFile(options: PlaceOptions = {}): string {
  const { defaults } = options;
  if (defaults?.runsPath !== undefined) return defaults.runsPath;
  const secrets = chosenLocation(options);
  if (secrets.kind === "folder" && hasStore(secrets.path) && basename(dirname(secrets.path)) === NAME) {
    return join(dirname(secrets.path), "runs.db");
  }
  const nearest = trustedFolders(options.env).find((folder) => isThere(join(folder, NAME, "runs.db")));
  return join(nearest ?? process.cwd(), NAME, "runs.db");
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
