import { realpathSync } from "node:fs";
import type { Config } from "@autokestra/config";
import type { Plugin } from "@autokestra/plugin-sdk";
import type { Location, SecretsOptions } from "@autokestra/secrets";
import { runsFile, secretPlaces } from "@autokestra/secrets/internal";
import { createActionTable } from "../run/prepare-run.ts";
import { PluginHost } from "./plugin-host.ts";

/** What no plugin may read, however its package lies beside it. */
export interface KeptPlaces {
  readonly location: Location;
  readonly keyFolder: string | null;
  readonly keyFile: string | undefined;
  readonly runsPath: string;
}

/** The plugins of a configuration for one run or check; null if it has none. */
export function createPluginHost(config: Config | null, kept: KeptPlaces): PluginHost | null {
  if (config === null || config.plugins.length === 0) return null;
  const { location, keyFolder, keyFile, runsPath } = kept;
  const folder = location.kind === "folder" ? location.path : undefined;
  return new PluginHost(config, [config.path, folder, keyFile, keyFolder, runsPath].flatMap(toRealPath));
}

/**
 * Returns the plugins of a configuration with the schemas of their actions, which cannot run. Starts each of them and ends it. Use it
 * for `plugins` of {@link workflowJsonSchema} and {@link adoptCredentials}, and to find out whether they can be loaded.
 *
 * @param place where the secrets are that no plugin may read
 * @throws FileError `CONFIG_INVALID` with the place in the configuration, if a plugin cannot be loaded
 * @throws AutokestraError `OPTION_INVALID` if two of them have the same name or action
 */
export async function describePlugins(
  config: Config,
  place: SecretsOptions & { readonly runsPath?: string | undefined } = {},
): Promise<readonly Plugin[]> {
  const where = { ...place, defaults: place.defaults ?? config };
  const kept = { ...secretPlaces(where), keyFile: place.keyFile, runsPath: place.runsPath ?? runsFile(where) };
  const plugins = (await createPluginHost(config, kept)?.describeAll()) ?? [];
  createActionTable(plugins);
  return plugins;
}

function toRealPath(path: string | null | undefined): readonly string[] {
  if (path === undefined || path === null) return [];
  try {
    return [realpathSync(path)];
  } catch {
    return [path];
  }
}
