import { bufferFromJson } from "./secret-values.ts";
import { EngineFailure, isInstance } from "./task-failure.ts";

/**
 * What JSON holds of a value: a line of a log must not fail because of what is in it.
 *
 * @param changeBytes is given the bytes of each Buffer, which JSON has as a list of numbers. Default: they stay
 */
export function toJson(value: unknown, changeBytes?: (bytes: Uint8Array) => Uint8Array): unknown {
  try {
    return copyAsJson(value, () => "[circular]", changeBytes);
  } catch {
    // Nested too deep, or its own toJSON throws.
    return "[no JSON]";
  }
}

/**
 * What JSON holds of the output of a task: a copy, which other tasks can read without running code of the action.
 *
 * @throws EngineFailure `OUTPUT_UNREADABLE` for what JSON cannot hold; its message has nothing of the output
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

/** @param error may be anything: code of the output can have thrown it */
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

/** Writes a bigint as its digits, and what JSON would write as `{}` by its content. */
function createReplacer(onCircle: () => unknown) {
  /** From the outermost to the innermost: what is written, and what it is written for. */
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
