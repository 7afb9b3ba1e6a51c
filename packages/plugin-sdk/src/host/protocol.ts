import { z } from "zod";
import type { ActionContext } from "../plugin.ts";

/** The version of the messages between an engine and the process of a plugin. */
export const PROTOCOL_VERSION = 1;

/** The longest message of a plugin, in bytes: what an output takes as JSON. */
export const MAX_MESSAGE_BYTES: number = 16 * 1024 * 1024;

/** The longest log line of a plugin with its data, in bytes. */
export const MAX_LOG_BYTES: number = 1024 * 1024;

/** The file descriptor that the process of a plugin writes its reports to. It reads orders from its standard input. */
export const REPORTS_FD = 3;

/** The data of an action's context. */
export type ContextData = Omit<ActionContext, "log" | "print" | "mask" | "signal">;

/** What an engine tells the process of a plugin, one line of JSON each. */
export type Order =
  | {
      readonly kind: "load";
      /** The path of the module that exports the plugin, as `plugin` or by default. */
      readonly entry: string;
      /** Tasks for which the action names the inputs in which numbers become text. */
      readonly tasks: readonly (readonly [type: string, inputs: Readonly<Record<string, unknown>>])[];
    }
  | { readonly kind: "check"; readonly call: number; readonly type: string; readonly input: unknown }
  | {
      readonly kind: "run";
      readonly call: number;
      readonly type: string;
      readonly input: unknown;
      readonly facts: ContextData;
    }
  | { readonly kind: "abort"; readonly call: number; readonly reason: { name: string; message: string } };

const namesSchema: z.ZodType<string[]> = z.array(z.string());

const actionSchema: z.ZodType<ActionDescription> = z.strictObject({
  type: z.string(),
  description: z.string().exactOptional(),
  input: z.record(z.string(), z.unknown()).nullable(),
  textInputs: namesSchema.exactOptional(),
  shownInputs: namesSchema.exactOptional(),
  literalInputs: namesSchema.exactOptional(),
  secretOutputs: namesSchema.exactOptional(),
  decidesSecretOutputs: z.boolean(),
});

const thrownSchema: z.ZodType<ThrownReport> = z.strictObject({
  kind: z.enum(["error", "input", "output", "unreadable", "value"]),
  name: z.string().exactOptional(),
  message: z.string().exactOptional(),
  code: z.string().exactOptional(),
  causeCode: z.string().exactOptional(),
  status: z.number().exactOptional(),
  retryable: z.boolean().exactOptional(),
  retryAfterSeconds: z.number().exactOptional(),
});

const call = z.int();

/** What the process of a plugin reports, one line of JSON each. An engine checks it: a plugin can write anything. */
export const reportSchema: z.ZodType<Report> = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("loaded"),
    protocol: z.number(),
    name: z.string(),
    actions: z.array(actionSchema),
    /** The answers about the tasks of the order. */
    textInputs: z.array(namesSchema),
  }),
  z.strictObject({ kind: z.literal("refused"), why: z.string() }),
  z.strictObject({ kind: z.literal("checked"), call, issues: z.array(z.looseObject({ code: z.string() })) }),
  z.strictObject({
    kind: z.literal("log"),
    call,
    level: z.enum(["debug", "info", "warn", "error"]),
    message: z.string(),
    data: z.unknown().exactOptional(),
  }),
  z.strictObject({ kind: z.literal("print"), call, stream: z.enum(["stdout", "stderr"]), base64: z.string() }),
  z.strictObject({ kind: z.literal("mask"), call, texts: namesSchema, name: z.string().exactOptional() }),
  z.strictObject({ kind: z.literal("done"), call, output: z.unknown().exactOptional() }),
  z.strictObject({ kind: z.literal("thrown"), call, thrown: thrownSchema }),
  /** Thrown outside of the action's promise: an unhandled rejection, or an exception in a callback. */
  z.strictObject({ kind: z.literal("stray"), call, thrown: thrownSchema }),
]);

/** What a plugin tells of an action before anything runs. */
export interface ActionDescription {
  type: string;
  description?: string;
  /** The JSON Schema of the input; null if it has none. */
  input: Record<string, unknown> | null;
  textInputs?: string[];
  shownInputs?: string[];
  literalInputs?: string[];
  secretOutputs?: string[];
  /** Whether the action decides by a function which outputs are secret. */
  decidesSecretOutputs: boolean;
}

/** What an action has thrown, read in its process. */
export interface ThrownReport {
  /** `input` and `output`: refused by a schema. `unreadable`: JSON cannot hold the output. `value`: not an object. */
  kind: "error" | "input" | "output" | "unreadable" | "value";
  name?: string;
  message?: string;
  code?: string;
  causeCode?: string;
  status?: number;
  retryable?: boolean;
  retryAfterSeconds?: number;
}

export type Report =
  | {
      kind: "loaded";
      protocol: number;
      name: string;
      actions: ActionDescription[];
      textInputs: string[][];
    }
  | { kind: "refused"; why: string }
  | { kind: "checked"; call: number; issues: { [key: string]: unknown; code: string }[] }
  | { kind: "log"; call: number; level: "debug" | "info" | "warn" | "error"; message: string; data?: unknown }
  | { kind: "print"; call: number; stream: "stdout" | "stderr"; base64: string }
  | { kind: "mask"; call: number; texts: string[]; name?: string }
  | { kind: "done"; call: number; output?: unknown }
  | { kind: "thrown" | "stray"; call: number; thrown: ThrownReport };
