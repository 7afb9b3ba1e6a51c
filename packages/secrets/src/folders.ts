import { basename, dirname, join } from "node:path";
import { pathExists, trustedFolders } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import type { AuditSettings } from "./access/audit-settings.ts";
import { hasStore } from "./driver-record.ts";
import { driverOfUrl } from "./drivers.ts";
import { type Location, locationText, parseLocation } from "./location.ts";

const NAME = ".workflow";

/** Where the secrets and the run history are. */
export interface LocationOptions {
  /** The environment, whose variables replace defaults. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /**
   * The folder of the secrets, or the URL of a store. Default: `WORKFLOW_SECRETS_STORAGE_PATH`, else that of
   * `defaults`, else the nearest `.workflow/secrets` with a store between the working directory and the root of the
   * repository, else the one in the working directory.
   */
  readonly storagePath?: string | undefined;
  /**
   * Values for options that neither the caller nor the environment sets, as from a configuration file. Default: none.
   */
  readonly defaults?: OptionDefaults | undefined;
}

/** Values of options that the environment can override. Paths are absolute. */
export interface OptionDefaults {
  readonly storagePath?: string | undefined;
  readonly backend?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly maxVersions?: number | undefined;
  readonly runsPath?: string | undefined;
  readonly audit?: AuditSettings | undefined;
}

/**
 * Returns where the secrets are. A given path is used unchanged.
 *
 * @throws AutokestraError `OPTION_INVALID` for an empty path, and for a URL without a driver
 */
export function storeLocation(options: LocationOptions): Location {
  const location = chosenLocation(options);
  if (location.kind === "url") driverOfUrl(location.url);
  return location;
}

/**
 * Returns the absolute path of the folder of the secrets.
 *
 * @throws AutokestraError `OPTION_INVALID` if they are not in a folder
 */
export function storeFolder(options: LocationOptions): string {
  const location = storeLocation(options);
  if (location.kind === "folder") return location.path;
  throw new AutokestraError("OPTION_INVALID", `The secrets at ${locationText(location)} are not in a folder`, {
    hint: "This is possible only with the secrets of a folder.",
  });
}

function chosenLocation(options: LocationOptions): Location {
  const { env = process.env, storagePath = env["WORKFLOW_SECRETS_STORAGE_PATH"], defaults } = options;
  // The text of a variable that is not set, perhaps: it must not mean another store.
  if (options.storagePath === "") throw new AutokestraError("OPTION_INVALID", "The path of the secrets is empty");
  const given = storagePath || defaults?.storagePath;
  if (given !== undefined && given !== "") return parseLocation(given);
  const nearest = trustedFolders(options.env).find((folder) => hasStore(join(folder, NAME, "secrets")));
  return { kind: "folder", path: join(nearest ?? process.cwd(), NAME, "secrets") };
}

/**
 * Returns the file of the run history: in the `.workflow` folder of the secrets, else in the nearest one with a
 * history.
 */
export function runsFile(options: LocationOptions): string {
  const { defaults } = options;
  if (defaults?.runsPath !== undefined) return defaults.runsPath;
  const secrets = chosenLocation(options);
  if (secrets.kind === "folder" && hasStore(secrets.path) && basename(dirname(secrets.path)) === NAME) {
    return join(dirname(secrets.path), "runs.db");
  }
  const nearest = trustedFolders(options.env).find((folder) => pathExists(join(folder, NAME, "runs.db")));
  return join(nearest ?? process.cwd(), NAME, "runs.db");
}
