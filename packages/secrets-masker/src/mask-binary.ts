import type { ValueMasks } from "./value-masks.ts";

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
 * A masked copy of a typed array, a Buffer or a DataView. Numbers of more than one byte make no sense any more once their
 * bytes are masked: then the placeholder takes the place of all, and also where one number is a secret.
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

/** A masked copy of an ArrayBuffer or a SharedArrayBuffer. */
export function maskBuffer(buffer: ArrayBufferLike, masks: ValueMasks): ArrayBuffer {
  return masks.bytes(new Uint8Array(buffer)).buffer;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
