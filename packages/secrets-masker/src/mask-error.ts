import { define, read } from "./properties.ts";
import { maskKey, type OpenedObject, type ValueMasks } from "./value-masks.ts";

/** Ways to print an error. They can show more than its properties, so a copy has those of Error itself. */
const PRINTERS: readonly PropertyKey[] = ["toJSON", "toString", Symbol.for("nodejs.util.inspect.custom")];

/** Keys that mean something, also where a secret has the same text. */
const STANDARD_KEYS: ReadonlySet<PropertyKey> = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * A real Error of the same class, with masked copies of all own properties, enumerable or not. An error from another realm
 * becomes an Error of this one with the same name.
 */
export function openError(source: object, masks: ValueMasks): OpenedObject {
  const copy = new Error();
  Reflect.deleteProperty(copy, "stack");
  if (source instanceof Error) Object.setPrototypeOf(copy, Object.getPrototypeOf(source));
  return {
    copy,
    fill(copyPart) {
      for (const key of Reflect.ownKeys(source)) {
        if (PRINTERS.includes(key)) continue;
        const isEnumerable = Reflect.getOwnPropertyDescriptor(source, key)?.enumerable === true;
        define(copy, STANDARD_KEYS.has(key) ? key : maskKey(key, masks), copyPart(read(source, key)), isEnumerable);
      }
      for (const key of ["name", "message"]) {
        if (Object.hasOwn(copy, key)) continue;
        const inherited = copyPart(read(source, key));
        if (read(copy, key) !== inherited) define(copy, key, inherited, false);
      }
      for (const key of PRINTERS) {
        const plain = read(Error.prototype, key);
        if (read(copy, key) !== plain) define(copy, key, plain, false);
      }
    },
  };
}
