import { compareNumber } from "lossless-json";

/** True where the number reads as it was written: nothing is lost when it becomes text. */
export function readsAsWritten(text: string, value: number): boolean {
  return String(value) === text;
}

/** True where the number has the decimal value that was written: 1.10, 1e3, 007 and 0x10 do, .inf and 20 digits do not. */
export function keepsValue(text: string, value: number): boolean {
  if (/^0[ox]/.test(text)) return Number.isSafeInteger(value);
  const [match, sign, whole, fraction, exponent] = /^([-+]?)(\d*)\.?(\d*)(?:e([-+]?\d+))?$/i.exec(text) ?? [];
  if (match === undefined || !Number.isFinite(value)) return false;
  const written = `${sign === "-" ? "-" : ""}${whole || "0"}.${fraction || "0"}e${exponent ?? "0"}`;
  return compareNumber(written, String(value)) === 0;
}
