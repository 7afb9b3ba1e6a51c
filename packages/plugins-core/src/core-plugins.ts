import type { Plugin } from "@autokestra/plugin-sdk";
import { consolePlugin } from "./console.ts";
import { createHttpPlugin, httpPlugin } from "./http/http-plugin.ts";
import type { NetworkOptions } from "./http/network-guard.ts";
import { shellPlugin } from "./shell/shell-plugin.ts";

/**
 * The plugins that come with autokestra: `core/http`, `core/console` and `core/shell`. Engines load them by default; give an engine
 * `[...corePlugins, yours]` to add your own.
 *
 * @example
 * ```ts
 * import { definePlugin, defineAction, z } from "@autokestra/plugin-sdk";
 * import { corePlugins } from "@autokestra/plugins-core";
 *
 * const wait = defineAction({ input: z.strictObject({}), run: () => undefined });
 * const plugins = [...corePlugins, definePlugin({ name: "acme/time", actions: { wait } })];
 * console.log(plugins.flatMap(({ actions }) => [...actions.keys()]));
 * ```
 */
export const corePlugins: readonly Plugin[] = [httpPlugin, consolePlugin, shellPlugin];

/** Creates the plugins that come with autokestra, with options for `core/http`. */
export function createCorePlugins(network: NetworkOptions): readonly Plugin[] {
  return [createHttpPlugin(network), consolePlugin, shellPlugin];
}
