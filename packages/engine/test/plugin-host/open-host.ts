import { realpathSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "@autokestra/config";
import { PluginHost } from "../../src/plugin-host/plugin-host.ts";

/**
 * The plugins of a configuration in a folder.
 *
 * @param plugins the value of `plugins`, in YAML
 */
export function openHost(folder: string, plugins: string): PluginHost {
  const path = join(realpathSync(folder), "autokestra.config.yaml");
  return new PluginHost(parseConfig(`plugins: ${plugins}\n`, path), [path]);
}
