import { closest, distance } from "fastest-levenshtein";

/** A hint for a word that is not known: the nearest known one, or all. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const nearest = closest(word, [...known]);
  const isNear = distance(word.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, Math.floor(word.length / 3));
  return isNear ? `Did you mean '${nearest}'?` : `Known here: ${known.join(", ")}.`;
}
