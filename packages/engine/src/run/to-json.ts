/** What JSON holds of a value: a line of a log must not fail because of what is in it. */
export function toJson(value: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(value, createReplacer());
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Nested too deep, or its own toJSON throws.
    return "[no JSON]";
  }
}

/** Writes a circle as `[circular]`, a bigint as its digits, and what JSON would write as `{}` by its content. */
function createReplacer() {
  /** From the outermost to the innermost: what is written, and what it is written for. */
  const path: { readonly written: unknown; readonly item: object }[] = [];
  return function (this: unknown, _key: string, item: unknown): unknown {
    if (typeof item === "bigint") return String(item);
    if (typeof item !== "object" || item === null) return item;
    while (path.length > 0 && path.at(-1)?.written !== this) path.pop();
    if (path.some((outer) => outer.item === item)) return "[circular]";
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
