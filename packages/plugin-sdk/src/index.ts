/**
 * What the author of a plugin imports: define actions, put them into a plugin.
 *
 * @module
 */
export { z } from "zod";
export { type Action, defineAction } from "./action.ts";
export type { ActionContext, LogFunction, LogLevel, MaskFunction } from "./action-context.ts";
export { describeIssues } from "./describe-issues.ts";
export { invokeAction } from "./invoke-action.ts";
export { definePlugin, type Plugin, type PluginDefinition } from "./plugin.ts";
export { PluginInputError, PluginOutputError } from "./plugin-error.ts";
export { TaskError, type TaskErrorOptions } from "./task-error.ts";
export { isTransientStatus } from "./transient-status.ts";
