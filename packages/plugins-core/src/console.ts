import { type Action, defineAction, definePlugin, type LogLevel, type Plugin, z } from "@autokestra/plugin-sdk";
import { textOrJson } from "./text-or-json.ts";

/** The input of `core/console.log`. A message that is not text is logged as compact JSON. */
interface LogInput {
  readonly message: string;
  readonly level: LogLevel;
}

const input: z.ZodType<LogInput> = z.strictObject({
  message: textOrJson,
  level: z.enum(["debug", "info", "warn", "error"]).default("info"),
});

/** `core/console.log`: writes one log line and returns nothing. */
export const logAction: Action<LogInput, void> = defineAction({
  description: "Writes one log line.",
  input,
  textInputs: ["message"],
  run({ message, level }, context) {
    context.log[level](message);
  },
});

/** The plugin `core/console`, with `core/console.log`. */
export const consolePlugin: Plugin = definePlugin({ name: "core/console", actions: { log: logAction } });
