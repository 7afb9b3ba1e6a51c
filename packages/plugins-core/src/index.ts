/**
 * The actions that come with autokestra.
 *
 * @module
 */
export { consolePlugin } from "./console.ts";
export { corePlugins } from "./core-plugins.ts";
export { httpPlugin } from "./http/http-plugin.ts";
export type { HttpResponse } from "./http/response.ts";
export { type ShellOutput, shellPlugin } from "./shell/shell-plugin.ts";
