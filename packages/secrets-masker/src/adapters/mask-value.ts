import {
  callMethod,
  copyError,
  createKeyNames,
  defineProperty,
  maskBuffer,
  maskKey,
  maskPrimitive,
  maskView,
  type ObjectCopy,
  readProperty,
  type ValueMasks,
} from "./value-masks.ts";

/** Objects that are nested deeper are replaced. */
const MAX_DEPTH = 10_000;
const TOO_DEEP = "[too deep]";

/** A getter that creates new objects would never end. */
const MAX_OBJECTS = 1_000_000;
const TOO_LARGE = "[too large]";

/**
 * Returns a copy of any value with every secret masked. The copy has the same structure, with shared and circular
 * references. It works level by level instead of by recursion, so that a deep object does not exhaust the stack.
 */
export function maskValue(root: unknown, masks: ValueMasks): unknown {
  const copies = new Map<object, unknown>();
  const fills: (() => void)[] = [];

  function copy(value: unknown, depth: number, isJson = false): unknown {
    if (typeof value !== "object" || value === null) return maskPrimitive(value, masks);
    if (copies.has(value)) return copies.get(value);
    if (depth > MAX_DEPTH) return TOO_DEEP;
    if (copies.size >= MAX_OBJECTS) return TOO_LARGE;
    const builtIn = copyBuiltIn(value, masks);
    const json = builtIn === null && !isJson ? toJson(value) : value;
    if (json !== value) {
      copies.set(value, copy(json, depth, true));
      return copies.get(value);
    }
    const { copy: masked, fill } = builtIn ?? copyProperties(value, masks);
    copies.set(value, masked);
    if (fill !== undefined) fills.push(() => fill((part) => copy(part, depth + 1)));
    return masked;
  }

  const result = copy(root, 0);
  for (const fill of fills) fill();
  return result;
}

/** Returns what the object's `toJSON` returns, or the object itself if it has none. */
function toJson(value: object): unknown {
  const method = readProperty(value, "toJSON");
  return typeof method === "function" ? callMethod(value, method as () => unknown) : value;
}

/** Opens one kind of built-in object. Throws a TypeError if the object only claims to be of this kind. */
type Copier = (value: object, masks: ValueMasks) => ObjectCopy;

const BUILT_INS: ReadonlyMap<string, Copier> = new Map<string, Copier>([
  ["Date", copyDate],
  ["RegExp", copyRegExp],
  ["Map", copyMap],
  ["Set", copySet],
  ["ArrayBuffer", (value, masks) => ({ copy: maskBuffer(value as ArrayBuffer, masks) })],
  ["SharedArrayBuffer", (value, masks) => ({ copy: maskBuffer(value as SharedArrayBuffer, masks) })],
  ["String", (value, masks) => copyBox(String.prototype.valueOf.call(value), masks)],
  ["Number", (value, masks) => copyBox(Number.prototype.valueOf.call(value), masks)],
  ["Boolean", (value, masks) => copyBox(Boolean.prototype.valueOf.call(value), masks)],
  ["BigInt", (value, masks) => copyBox(BigInt.prototype.valueOf.call(value), masks)],
  ["Symbol", (value, masks) => copyBox(Symbol.prototype.valueOf.call(value), masks)],
]);

/** Opens a built-in object, which has content besides its properties; null for any other object. */
function copyBuiltIn(value: object, masks: ValueMasks): ObjectCopy | null {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (ArrayBuffer.isView(value)) return { copy: maskView(value, tag, masks) };
  if (tag === "Error" || value instanceof Error) return copyError(value, masks);
  try {
    return BUILT_INS.get(tag)?.(value, masks) ?? null;
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/**
 * Opens an object by its own enumerable properties. The copy is a plain object or an array, without class and methods.
 */
function copyProperties(source: object, masks: ValueMasks): ObjectCopy {
  const copy = emptyLike(source);
  return {
    copy,
    fill(copyPart) {
      const freeKey = createKeyNames((key) => Object.hasOwn(copy, key));
      for (const key of Reflect.ownKeys(source)) {
        if (!Object.prototype.propertyIsEnumerable.call(source, key)) continue;
        const masked = Array.isArray(copy) && isIndex(key) ? key : maskKey(key, masks);
        defineProperty(
          copy,
          typeof masked === "string" ? freeKey(masked) : masked,
          copyPart(readProperty(source, key)),
          true,
        );
      }
    },
  };
}

function emptyLike(source: object): object {
  if (!Array.isArray(source)) return Object.getPrototypeOf(source) === null ? Object.create(null) : {};
  const copy: unknown[] = [];
  copy.length = source.length;
  return copy;
}

function isIndex(key: string | symbol): boolean {
  return typeof key === "string" && /^\d+$/.test(key);
}

/** The copy is a Date, or masked text if its ISO 8601 text contains a secret. */
function copyDate(value: object, masks: ValueMasks): ObjectCopy {
  const date = new Date(Date.prototype.getTime.call(value));
  const text = date.toJSON() ?? "";
  const masked = masks.text(text);
  return { copy: masked === text ? date : masked };
}

/** The copy is a RegExp, or masked text if its source contains a secret. */
function copyRegExp(value: object, masks: ValueMasks): ObjectCopy {
  const expression = new RegExp(value as RegExp);
  const text = String(expression);
  const masked = masks.text(text);
  return { copy: masked === text ? expression : masked };
}

function copyMap(value: object): ObjectCopy {
  const entries: [unknown, unknown][] = [...Map.prototype.entries.call(value)];
  const copy = new Map<unknown, unknown>();
  const freeKey = createKeyNames((key) => copy.has(key));
  return {
    copy,
    fill(copyPart) {
      for (const [key, item] of entries) {
        const masked = copyPart(key);
        copy.set(typeof masked === "string" ? freeKey(masked) : masked, copyPart(item));
      }
    },
  };
}

/** Members that look the same once they are masked become one. */
function copySet(value: object): ObjectCopy {
  const members: unknown[] = [...Set.prototype.values.call(value)];
  const copy = new Set<unknown>();
  return {
    copy,
    fill(copyPart) {
      for (const member of members) copy.add(copyPart(member));
    },
  };
}

/** Opens a `new String("text")` and the like: the copy is the primitive, not an object. */
function copyBox(primitive: unknown, masks: ValueMasks): ObjectCopy {
  return { copy: maskPrimitive(primitive, masks) };
}
