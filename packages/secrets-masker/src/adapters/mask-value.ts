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

/** Opens one kind of built-in object. Throws a TypeError where the object only claims to be of this kind. */
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

/** Opens an object that the language knows more about than its properties; null for any other. */
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

/** A plain object or an array with the own enumerable properties. The class of an object, and with it its methods, is gone. */
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

/** A Date, or masked text where a secret is part of its ISO 8601 form. */
function openDate(value: object, masks: ValueMasks): OpenedObject {
  const date = new Date(Date.prototype.getTime.call(value));
  const text = date.toJSON() ?? "";
  const masked = masks.text(text);
  return { copy: masked === text ? date : masked };
}

/** A RegExp, or masked text where a secret is part of its source. */
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

/** A Set. Members that are masked alike become one. */
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

/** What is in a `new String("text")`: the copy is no object. */
function openBox(primitive: unknown, masks: ValueMasks): OpenedObject {
  return { copy: maskPrimitive(primitive, masks) };
}
