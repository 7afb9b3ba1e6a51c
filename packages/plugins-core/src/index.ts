/**
 * The actions that come with autokestra.
 *
 * @module
 */
export { consolePlugin } from "./console.ts";
export { corePlugins, createCorePlugins } from "./core-plugins.ts";
export { createHttpPlugin, httpPlugin } from "./http/http-plugin.ts";
export type { NetworkOptions } from "./http/network-guard.ts";
export type { HttpResponse } from "./http/response.ts";
export { type ShellOutput, shellPlugin } from "./shell/shell-plugin.ts";
