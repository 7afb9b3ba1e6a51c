import { createRequire } from "node:module";
import { join } from "node:path";
import type { SourceFailure } from "@autokestra/secrets-core";
import { errorCode } from "@autokestra/secrets-core/internal";
import { malformed } from "./answers.ts";

/** The two ways to load an optional npm package. Both name it literally, so that the checks of imports find it. */
export interface PeerLoaders<Module> {
  readonly besideUs: () => Promise<Module>;
  readonly fromFolder: (require: NodeJS.Require) => Module;
}

/**
 * Loads an optional npm package: from beside this package, else from the folder of the configuration, so that a
 * globally installed command can use what a project has installed.
 *
 * @param name the name of the package
 */
export async function loadPeer<Module extends object>(
  name: string,
  folder: string | undefined,
  { besideUs, fromFolder }: PeerLoaders<Module>,
): Promise<Module | SourceFailure> {
  try {
    return await besideUs();
  } catch (error) {
    if (folder === undefined) return notLoaded(name, error);
  }
  try {
    return fromFolder(createRequire(join(folder, "package.json")));
  } catch (error) {
    return notLoaded(name, error);
  }
}

function notLoaded(name: string, error: unknown): SourceFailure {
  const code = errorCode(error);
  const isMissing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
  const problem = isMissing ? "is not installed" : `cannot be loaded (${code || "unknown error"})`;
  return malformed(
    `the npm package ${name}, which it needs, ${problem}`,
    `Install ${name} in the folder of the configuration.`,
  );
}
