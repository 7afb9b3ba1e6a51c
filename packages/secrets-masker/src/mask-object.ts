import { maskBuffer, maskView } from "./mask-binary.ts";
import { openError } from "./mask-error.ts";
import { createKeyNames, define, read } from "./properties.ts";
import { maskKey, maskPrimitive, type OpenedObject, type ValueMasks } from "./value-masks.ts";

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
export function openBuiltIn(value: object, masks: ValueMasks): OpenedObject | null {
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
export function openProperties(source: object, masks: ValueMasks): OpenedObject {
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
