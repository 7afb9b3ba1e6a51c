/**
 * Masks secret values in strings, objects, errors, bytes and streams before they are logged. No dependencies, no input
 * or output.
 *
 * @module
 */
export type { MaskStream, MaskStreamOptions } from "./adapters/mask-stream.ts";
export {
  createMaskTransformOptions,
  createMaskTransformStream,
  type MaskTransformOptions,
} from "./adapters/web-stream.ts";
export { createMasker, type Masker, type MaskerOptions, type MaskInput, type NamedMaskInput } from "./masker.ts";
export type { MaskCount } from "./search/tally.ts";
export { createValueFinder, type ValueFinder } from "./value-finder.ts";
export type { PartKind } from "./values/part.ts";
export { isMaskable } from "./values/part.ts";
export { type MaskedPart, maskedParts } from "./values/value-parts.ts";
