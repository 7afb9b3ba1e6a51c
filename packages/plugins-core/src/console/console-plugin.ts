import { definePlugin, type Plugin } from "@autokestra/plugin-sdk";
import { logAction } from "./log-action.ts";

export const consolePlugin: Plugin = definePlugin({ name: "core/console", actions: { log: logAction } });
