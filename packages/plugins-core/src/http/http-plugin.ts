import { definePlugin, type Plugin } from "@autokestra/plugin-sdk";
import { getAction, requestAction } from "./http-actions.ts";

export const httpPlugin: Plugin = definePlugin({
  name: "core/http",
  actions: { request: requestAction, get: getAction },
});
