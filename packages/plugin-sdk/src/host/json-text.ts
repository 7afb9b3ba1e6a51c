/**
 * Returns a value as JSON: bigints as digits, and maps, sets and errors by their content instead of `{}`.
 *
 * @param onCircle called for an object that contains itself; what it returns stands for the object
 * @returns undefined for a value without JSON, such as a function
 * @throws what a getter or `toJSON` throws; RangeError for what is too large or nested too deep
 */
export function jsonText(value: unknown, onCircle: () => unknown): string | undefined {
  return JSON.stringify(value, createReplacer(onCircle));
}

/** Returns data of a log line as JSON. It never throws: a log line must not fail because of its data. */
export function logDataText(value: unknown): string | undefined {
  try {
    return jsonText(value, () => "[circular]");
  } catch {
    // The value is nested too deep, or its toJSON throws.
    return '"[no JSON]"';
  }
}

/**
 * Returns the output of an action as JSON.
 *
 * @throws UnreadableOutput whose message quotes nothing of the output
 */
export function outputText(output: unknown): string | undefined {
  try {
    return jsonText(output, () => {
      throw new CircleError();
    });
  } catch (error) {
    throw new UnreadableOutput(whyUnreadable(error));
  }
}

/** An output that JSON cannot hold. */
export class UnreadableOutput extends Error {
  constructor(why: string) {
    super(`the output of the action cannot be read: ${why}`);
  }
}

class CircleError extends Error {}

/** @param error anything, because code in the output may have thrown it */
function whyUnreadable(error: unknown): string {
  if (isInstance(error, CircleError)) return "it contains itself";
  return isInstance(error, RangeError) ? "it is too large, or nested too deep" : "a part of it throws when it is read";
}

/** `instanceof` without throwing, which it does for some proxies. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

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
