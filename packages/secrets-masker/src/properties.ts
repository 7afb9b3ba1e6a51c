import { failClosed } from "./fail-closed.ts";

/** Stands where a getter or a `toJSON` threw. */
const UNREADABLE = "[unreadable]";

/** Reads a property once, whatever code stands behind it. */
export function read(source: object, key: PropertyKey): unknown {
  return failClosed<unknown>(UNREADABLE, () => Reflect.get(source, key));
}

/** Calls a method without arguments, whatever it does. */
export function call(source: object, method: () => unknown): unknown {
  return failClosed<unknown>(UNREADABLE, () => Reflect.apply(method, source, []));
}

/** Makes an own data property, whatever the key: an assignment to `__proto__` would change the prototype. */
export function define(target: object, key: PropertyKey, value: unknown, enumerable: boolean): void {
  Object.defineProperty(target, key, { value, enumerable, writable: true, configurable: true });
}

/** Keeps keys apart that are masked alike: `***SECRET***`, `***SECRET*** (2)`. */
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
