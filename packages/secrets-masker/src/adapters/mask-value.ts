import {
  call,
  createKeyNames,
  define,
  maskBuffer,
  maskKey,
  maskPrimitive,
  maskView,
  type OpenedObject,
  openError,
  read,
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

/** Returns what the object's `toJSON` returns, or the object itself if it has none. */
function toJson(value: object): unknown {
  const method = read(value, "toJSON");
  return typeof method === "function" ? call(value, method as () => unknown) : value;
}

/** Opens one kind of built-in object. Throws a TypeError if the object only claims to be of this kind. */
type Open = (value: object, masks: ValueMasks) => OpenedObject;

const BUILT_INS: ReadonlyMap<string, Open> = new Map<string, Open>([
  ["Date", openDate],
  ["RegExp", openRegExp],
  ["Map", openMap],
  ["Set", openSet],
  ["ArrayBuffer", (value, masks) => ({ copy: maskBuffer(value as ArrayBuffer, masks) })],
  ["SharedArrayBuffer", (value, masks) => ({ copy: maskBuffer(value as SharedArrayBuffer, masks) })],
  ["String", (value, masks) => openBox(String.prototype.valueOf.call(value), masks)],
  ["Number", (value, masks) => openBox(Number.prototype.valueOf.call(value), masks)],
  ["Boolean", (value, masks) => openBox(Boolean.prototype.valueOf.call(value), masks)],
  ["BigInt", (value, masks) => openBox(BigInt.prototype.valueOf.call(value), masks)],
  ["Symbol", (value, masks) => openBox(Symbol.prototype.valueOf.call(value), masks)],
]);

/** Opens a built-in object, which has content besides its properties; null for any other object. */
function openBuiltIn(value: object, masks: ValueMasks): OpenedObject | null {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (ArrayBuffer.isView(value)) return { copy: maskView(value, tag, masks) };
  if (tag === "Error" || value instanceof Error) return openError(value, masks);
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
function openProperties(source: object, masks: ValueMasks): OpenedObject {
  const copy = emptyLike(source);
  return {
    copy,
    fill(copyPart) {
      const freeKey = createKeyNames((key) => Object.hasOwn(copy, key));
      for (const key of Reflect.ownKeys(source)) {
        if (!Object.prototype.propertyIsEnumerable.call(source, key)) continue;
        const masked = Array.isArray(copy) && isIndex(key) ? key : maskKey(key, masks);
        define(copy, typeof masked === "string" ? freeKey(masked) : masked, copyPart(read(source, key)), true);
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
function openDate(value: object, masks: ValueMasks): OpenedObject {
  const date = new Date(Date.prototype.getTime.call(value));
  const text = date.toJSON() ?? "";
  const masked = masks.text(text);
  return { copy: masked === text ? date : masked };
}

/** The copy is a RegExp, or masked text if its source contains a secret. */
function openRegExp(value: object, masks: ValueMasks): OpenedObject {
  const expression = new RegExp(value as RegExp);
  const text = String(expression);
  const masked = masks.text(text);
  return { copy: masked === text ? expression : masked };
}

function openMap(value: object): OpenedObject {
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
function openSet(value: object): OpenedObject {
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
function openBox(primitive: unknown, masks: ValueMasks): OpenedObject {
  return { copy: maskPrimitive(primitive, masks) };
}
