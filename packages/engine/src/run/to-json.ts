import { bufferFromJson } from "./secret-values.ts";
import { EngineFailure, isInstance } from "./task-failure.ts";

/**
 * Converts a value to JSON data. It never throws: a log line must not fail because of its data.
 *
 * @param changeBytes called with the bytes of each Buffer, which JSON has as a list of numbers. Default: they are kept
 */
export function toJson(value: unknown, changeBytes?: (bytes: Uint8Array) => Uint8Array): unknown {
  try {
    return copyAsJson(value, () => "[circular]", changeBytes);
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
    return copyAsJson(output, () => {
      throw new CircleError();
    });
  } catch (error) {
    throw new EngineFailure("OUTPUT_UNREADABLE", `the output of the action cannot be read: ${whyUnreadable(error)}`);
  }
}

class CircleError extends Error {}

/** @param error anything, because code in the output may have thrown it */
function whyUnreadable(error: unknown): string {
  if (isInstance(error, CircleError)) return "it contains itself";
  return isInstance(error, RangeError) ? "it is too large, or nested too deep" : "a part of it throws when it is read";
}

function copyAsJson(value: unknown, onCircle: () => unknown, changeBytes?: (bytes: Uint8Array) => Uint8Array): unknown {
  const text: string | undefined = JSON.stringify(value, createReplacer(onCircle));
  if (text === undefined) return undefined;
  if (changeBytes === undefined || !text.includes('"type":"Buffer"')) return JSON.parse(text);
  return JSON.parse(text, (_, item: unknown) => {
    const bytes = bufferFromJson(item);
    const changed = bytes === null ? null : changeBytes(bytes);
    return changed === null || changed === bytes ? item : Buffer.from(changed).toJSON();
  });
}

/** Writes bigints as digits, and maps, sets and errors by their content instead of `{}`. */
function createReplacer(onCircle: () => unknown) {
  /** The open objects, outermost first: what is written, and the object it is written for. */
  const path: { readonly written: unknown; readonly item: object }[] = [];
  return function (this: unknown, _key: string, item: unknown): unknown {
    if (typeof item === "bigint") return String(item);
    if (typeof item !== "object" || item === null) return item;
    while (path.length > 0 && path.at(-1)?.written !== this) path.pop();
    if (path.some((outer) => outer.item === item)) return onCircle();
    const written = contentOf(item);
    path.push({ written, item });
    return written;
  };
}

function contentOf(item: object): unknown {
  if (item instanceof Map) return Object.fromEntries(item);
  if (item instanceof Set) return [...item];
  if (!(item instanceof Error)) return item;
  const { name, message, stack } = item;
  const cause = item.cause === undefined ? {} : { cause: item.cause };
  const errors = item instanceof AggregateError ? { errors: item.errors } : {};
  return Object.assign({}, item, { name, message, stack }, cause, errors);
}
