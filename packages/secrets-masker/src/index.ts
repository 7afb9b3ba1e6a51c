/**
 * Keeps secret values out of logs: strings, objects, errors, streams. No dependencies, no input or output.
 *
 * @module
 */
export type { MaskStream, MaskStreamOptions } from "./mask-stream.ts";
export { isMaskable } from "./maskable.ts";
export { createMasker, type Masker, type MaskerOptions, type MaskInput } from "./masker.ts";
export type { PartKind } from "./parts/part.ts";
export { type MaskedPart, maskedParts } from "./parts/value-parts.ts";
export type { MaskCount } from "./tally.ts";
export { createMaskTransformOptions, type MaskTransformOptions } from "./transform-options.ts";
export { createMaskTransformStream } from "./web-stream.ts";
