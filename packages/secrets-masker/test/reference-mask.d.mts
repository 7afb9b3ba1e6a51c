import type { PatternText } from "../src/search/pattern-store.ts";

/** What to look for; a pattern without a name is the placeholder itself. */
export interface ReferencePattern extends PatternText {
  readonly name: string | null;
}

export interface ReferenceResult {
  readonly text: string;
  /** By name, the number of placeholders that the secret has a part in. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Masks as the README says, in the most obvious way: every pattern at every place, then all spans in order. */
export function referenceMask(
  text: string,
  patterns: readonly ReferencePattern[],
  placeholder: string,
  endIsCut?: boolean,
): ReferenceResult;
