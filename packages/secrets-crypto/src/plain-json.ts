/** The name of a master key. */
export const FINGERPRINT: RegExp = /^[0-9a-f]{16}$/;

/** True for an object with these keys and no others. */
export function hasKeys<K extends string>(value: unknown, keys: readonly K[]): value is Readonly<Record<K, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

/** True for a list whose items all pass `is`. */
export function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(is);
}

export function isText(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

export function isFingerprint(value: unknown): value is string {
  return isText(value, FINGERPRINT);
}

export function isWholeNumber(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= min;
}
