import { parseTimestamp } from "@autokestra/secrets-core";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const FINGERPRINT = /^[0-9a-f]{16}$/;

/** True for an object with these keys and no others. */
export function hasKeys<K extends string>(value: unknown, keys: readonly K[]): value is Readonly<Record<K, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}

/** True for a list of which all are so. */
export function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is readonly T[] {
  return Array.isArray(value) && value.every(is);
}

export function isText(value: unknown, form: RegExp): value is string {
  return typeof value === "string" && form.test(value);
}

export function isUuid(value: unknown): value is string {
  return isText(value, UUID);
}

export function isFingerprint(value: unknown): value is string {
  return isText(value, FINGERPRINT);
}

/** True for a time in the form in which autokestra writes times. */
export function isTimestamp(value: unknown): value is string {
  return typeof value === "string" && value.length === 24 && parseTimestamp(value) === value;
}

export function isWholeNumber(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= min;
}
