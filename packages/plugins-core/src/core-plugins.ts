import type { Plugin } from "@autokestra/plugin-sdk";
import { consolePlugin } from "./console.ts";
import { httpPlugin } from "./http/http-plugin.ts";

/** The plugins that every engine has. */
export const corePlugins: readonly Plugin[] = [httpPlugin, consolePlugin];
