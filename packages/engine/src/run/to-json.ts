import { bufferFromJson, jsonText, outputText, UnreadableOutput } from "@autokestra/plugin-sdk/host";
import { EngineFailure } from "./task-failure.ts";

/**
 * Converts a value to JSON data. It never throws: a log line must not fail because of its data.
 *
 * @param changeBytes called with the bytes of each Buffer, which JSON has as a list of numbers. Default: they are kept
 */
export function toJson(value: unknown, changeBytes?: (bytes: Uint8Array) => Uint8Array): unknown {
  try {
    return parse(
      jsonText(value, () => "[circular]"),
      changeBytes,
    );
  } catch {
    // The value is nested too deep, or its toJSON throws.
    return "[no JSON]";
  }
}

/**
 * Copies the output of a task as JSON data, so that other tasks can read it without running code of the action.
 *
 * @throws EngineFailure `OUTPUT_UNREADABLE` if JSON cannot hold the output; its message quotes nothing of it
 */
export function readOutput(output: unknown): unknown {
  try {
    return parse(outputText(output));
  } catch (error) {
    if (error instanceof UnreadableOutput) throw unreadableOutput(error.message);
    throw error;
  }
}

export function unreadableOutput(message: string): EngineFailure {
  return new EngineFailure("OUTPUT_UNREADABLE", message);
}

function parse(text: string | undefined, changeBytes?: (bytes: Uint8Array) => Uint8Array): unknown {
  if (text === undefined) return undefined;
  if (changeBytes === undefined || !text.includes('"type":"Buffer"')) return JSON.parse(text);
  return JSON.parse(text, (_, item: unknown) => {
    const bytes = bufferFromJson(item);
    const changed = bytes === null ? null : changeBytes(bytes);
    return changed === null || changed === bytes ? item : Buffer.from(changed).toJSON();
  });
}
