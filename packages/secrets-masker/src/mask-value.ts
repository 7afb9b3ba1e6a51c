import { openBuiltIn, openProperties } from "./mask-object.ts";
import { call, read } from "./properties.ts";
import { maskPrimitive, type ValueMasks } from "./value-masks.ts";

/** What is nested deeper is replaced. */
const MAX_DEPTH = 10_000;
const TOO_DEEP = "[too deep]";

/** A getter that makes new objects has no end. */
const MAX_OBJECTS = 1_000_000;
const TOO_LARGE = "[too large]";

/**
 * A copy of any value with every secret masked, of the same shape: shared and circular references stay such. It goes level by
 * level and not by recursion, so that depth takes no stack.
 */
export function maskValue(root: unknown, masks: ValueMasks): unknown {
  const copies = new Map<object, unknown>();
  const fills: (() => void)[] = [];

  function copy(value: unknown, depth: number, isJson = false): unknown {
    if (typeof value !== "object" || value === null) return maskPrimitive(value, masks);
    if (copies.has(value)) return copies.get(value);
    if (depth > MAX_DEPTH) return TOO_DEEP;
    if (copies.size >= MAX_OBJECTS) return TOO_LARGE;
    const builtIn = openBuiltIn(value, masks);
    const json = builtIn === null && !isJson ? toJson(value) : value;
    if (json !== value) {
      copies.set(value, copy(json, depth, true));
      return copies.get(value);
    }
    const { copy: masked, fill } = builtIn ?? openProperties(value, masks);
    copies.set(value, masked);
    if (fill !== undefined) fills.push(() => fill((part) => copy(part, depth + 1)));
    return masked;
  }

  const result = copy(root, 0);
  for (const fill of fills) fill();
  return result;
}

/** What an object's `toJSON` has it printed as; the object itself where it has none. */
function toJson(value: object): unknown {
  const method = read(value, "toJSON");
  return typeof method === "function" ? call(value, method as () => unknown) : value;
}
