import { read } from "./properties.ts";

/** How the parts of a value are masked. */
export interface ValueMasks {
  readonly placeholder: string;
  readonly text: (text: string) => string;
  /** The placeholder for a text that is a secret as a whole, null for any other. */
  readonly exact: (text: string) => string | null;
  /** A masked copy of the bytes. */
  readonly bytes: (bytes: Uint8Array) => Uint8Array<ArrayBuffer>;
}

/** An object that has been looked at: an empty copy, and how the masked parts get into it. */
export interface OpenedObject {
  readonly copy: unknown;
  readonly fill?: (copyPart: (part: unknown) => unknown) => void;
}

/** Masks anything but an object. Of a function only its name is shown. */
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
  const name = read(value, "name");
  return masks.text(`[Function: ${typeof name === "string" ? name : ""}]`);
}

/** The same symbol, or a new one where its description has a secret in it. */
function maskSymbol(symbol: symbol, masks: ValueMasks): symbol {
  const { description = "" } = symbol;
  const masked = masks.text(description);
  return masked === description ? symbol : Symbol(masked);
}

/** A key of a property, masked. */
export function maskKey(key: string | symbol, masks: ValueMasks): string | symbol {
  return typeof key === "symbol" ? maskSymbol(key, masks) : masks.text(key);
}
