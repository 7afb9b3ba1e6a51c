/**
 * Everything the author of a plugin imports: functions that define actions and put them into plugins, and the errors
 * they throw.
 *
 * @module
 */
export { z } from "zod";
export { describeIssues } from "./describe-issues.ts";
export { isTransientStatus, PluginInputError, PluginOutputError, TaskError, type TaskErrorOptions } from "./errors.ts";
export { invokeAction } from "./invoke-action.ts";
export { allowsHost, intersectHosts, type NetworkPolicy } from "./network.ts";
export type { ActionContext, LogFunction, LogLevel, MaskFunction, PrintFunction } from "./plugin.ts";
export { type Action, defineAction, definePlugin, type Plugin, type PluginDefinition } from "./plugin.ts";
