import { closest, distance } from "fastest-levenshtein";

/** The known name that was probably meant: the same but for case, `-` and `_`, or few letters away. Null where there is none. */
export function nearestName(name: string, known: readonly string[]): string | null {
  const same = known.find((other) => fold(other) === fold(name));
  if (same !== undefined) return same;
  if (known.length === 0 || name.length < 3) return null;
  const nearest = closest(name, known);
  // Two letters that changed places count two, and are one mistake.
  const isTwisted = sorted(name) === sorted(nearest) ? 1 : 0;
  return distance(fold(name), fold(nearest)) <= Math.max(1, Math.floor(name.length / 4)) + isTwisted ? nearest : null;
}

/** A hint for a word that is not known: the one that was probably meant, or all. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const nearest = nearestName(word, known);
  return nearest === null ? `Known here: ${known.join(", ")}.` : `Did you mean '${nearest}'?`;
}

function sorted(name: string): string {
  return fold(name).split("").sort().join("");
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, "");
}
