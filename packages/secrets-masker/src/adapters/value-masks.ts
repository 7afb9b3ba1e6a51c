import { failClosed } from "../fail-closed.ts";

/** The functions that mask the parts of a value. */
export interface ValueMasks {
  readonly placeholder: string;
  readonly text: (text: string) => string;
  /** Returns the placeholder if the whole text is a secret, otherwise null. */
  readonly exact: (text: string) => string | null;
  /** Returns a masked copy of the bytes. */
  readonly bytes: (bytes: Uint8Array) => Uint8Array<ArrayBuffer>;
}

/** An object that is being copied: its copy, still empty, and the function that puts the masked parts into it. */
export interface ObjectCopy {
  readonly copy: unknown;
  readonly fill?: (copyPart: (part: unknown) => unknown) => void;
}

/** Masks anything but an object. Only the name of a function is shown. */
export function maskPrimitive(value: unknown, masks: ValueMasks): unknown {
  switch (typeof value) {
    case "string":
      return masks.text(value);
    case "number":
    case "bigint":
    case "boolean":
      return masks.exact(String(value)) ?? value;
    case "symbol":
      return maskSymbol(value, masks);
    case "function":
      return maskFunction(value, masks);
    default:
      return value;
  }
}

function maskFunction(value: object, masks: ValueMasks): string {
  const name = readProperty(value, "name");
  return masks.text(`[Function: ${typeof name === "string" ? name : ""}]`);
}

/** Returns the same symbol, or a new one if its description contains a secret. */
function maskSymbol(symbol: symbol, masks: ValueMasks): symbol {
  const { description = "" } = symbol;
  const masked = masks.text(description);
  return masked === description ? symbol : Symbol(masked);
}

export function maskKey(key: string | symbol, masks: ValueMasks): string | symbol {
  return typeof key === "symbol" ? maskSymbol(key, masks) : masks.text(key);
}

/** Replaces the result of a getter or a `toJSON` that threw. */
const UNREADABLE = "[unreadable]";

/** Reads a property once. Its getter may throw anything. */
export function readProperty(source: object, key: PropertyKey): unknown {
  return failClosed<unknown>(UNREADABLE, () => Reflect.get(source, key));
}

/** Calls a method without arguments. It may throw anything. */
export function callMethod(source: object, method: () => unknown): unknown {
  return failClosed<unknown>(UNREADABLE, () => Reflect.apply(method, source, []));
}

/** Defines an own data property. An assignment would not do: with the key `__proto__` it changes the prototype. */
export function defineProperty(target: object, key: PropertyKey, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

/** Numbers keys that are the same once they are masked: `***SECRET***`, `***SECRET*** (2)`. */
export function createKeyNames(isTaken: (key: string) => boolean): (key: string) => string {
  const numbers = new Map<string, number>();
  return (key) => {
    let free = key;
    for (let number = numbers.get(key) ?? 2; isTaken(free); number++) {
      free = `${key} (${number})`;
      numbers.set(key, number + 1);
    }
    return free;
  };
}

type NewView<View> = new (buffer: ArrayBuffer) => View;

const BYTE_VIEWS = new Map<string, NewView<ArrayBufferView>>(
  Object.entries({ Int8Array, Uint8ClampedArray, DataView }),
);

const NUMBER_VIEWS = new Map<string, NewView<ArrayBufferView & ArrayLike<number | bigint>>>(
  Object.entries({
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  }),
);

/**
 * Returns a masked copy of a typed array, a Buffer or a DataView. Masked bytes make no sense as numbers of several
 * bytes, so the placeholder replaces such an array as a whole; it also does if one of its numbers is a secret.
 */
export function maskView(view: ArrayBufferView, tag: string, masks: ValueMasks): unknown {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const masked = masks.bytes(bytes);
  // A Buffer is a Uint8Array with another prototype.
  if (tag === "Uint8Array") return Object.setPrototypeOf(masked, Object.getPrototypeOf(view));
  const ByteView = BYTE_VIEWS.get(tag);
  if (ByteView !== undefined) return new ByteView(masked.buffer);
  const NumberView = NUMBER_VIEWS.get(tag);
  if (NumberView === undefined || !isSame(bytes, masked)) return masks.placeholder;
  const numbers = new NumberView(masked.buffer);
  const isSecret = Array.from(numbers, String).some((text) => masks.exact(text) !== null);
  return isSecret ? masks.placeholder : numbers;
}

/** Returns a masked copy of an ArrayBuffer or a SharedArrayBuffer. */
export function maskBuffer(buffer: ArrayBufferLike, masks: ValueMasks): ArrayBuffer {
  return masks.bytes(new Uint8Array(buffer)).buffer;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Methods that print an error. They can show more than its properties, so the copy gets those of `Error`. */
const PRINTERS: readonly PropertyKey[] = ["toJSON", "toString", Symbol.for("nodejs.util.inspect.custom")];

/** Keys that are never masked, even if a secret has the same text. */
const STANDARD_KEYS: ReadonlySet<PropertyKey> = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * The copy is an Error of the same class with masked copies of all own properties, enumerable or not. An error of
 * another realm becomes an Error of this one with the same name.
 */
export function copyError(source: object, masks: ValueMasks): ObjectCopy {
  const copy = new Error();
  Reflect.deleteProperty(copy, "stack");
  if (source instanceof Error) Object.setPrototypeOf(copy, Object.getPrototypeOf(source));
  return {
    copy,
    fill(copyPart) {
      for (const key of Reflect.ownKeys(source)) {
        if (PRINTERS.includes(key)) continue;
        const isEnumerable = Reflect.getOwnPropertyDescriptor(source, key)?.enumerable === true;
        defineProperty(
          copy,
          STANDARD_KEYS.has(key) ? key : maskKey(key, masks),
          copyPart(readProperty(source, key)),
          isEnumerable,
        );
      }
      for (const key of ["name", "message"]) {
        if (Object.hasOwn(copy, key)) continue;
        const inherited = copyPart(readProperty(source, key));
        if (readProperty(copy, key) !== inherited) defineProperty(copy, key, inherited, false);
      }
      for (const key of PRINTERS) {
        const plain = readProperty(Error.prototype, key);
        if (readProperty(copy, key) !== plain) defineProperty(copy, key, plain, false);
      }
    },
  };
}
