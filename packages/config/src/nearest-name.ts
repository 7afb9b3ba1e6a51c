import { closest, distance } from "fastest-levenshtein";

/**
 * Returns the known name that was probably meant: the same except for case, `-` and `_`, or with few typing errors. Null
 * if there is none, or if the name itself is known: then it is not the name that is wrong.
 */
export function nearestName(name: string, known: readonly string[]): string | null {
  if (known.includes(name)) return null;
  const same = known.find((other) => fold(other) === fold(name));
  if (same !== undefined) return same;
  if (known.length === 0 || name.length < 3) return null;
  const nearest = closest(name, known);
  // Two swapped letters count twice, but are one typing error.
  const isTwisted = sorted(name) === sorted(nearest) ? 1 : 0;
  return distance(fold(name), fold(nearest)) <= Math.max(1, Math.floor(name.length / 4)) + isTwisted ? nearest : null;
}

/** The maximum number of known names in a hint. */
const MAX_LISTED = 20;

/** Returns a hint for an unknown word: the one that was probably meant, or all known ones if there are few. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const nearest = nearestName(word, known);
  if (nearest !== null) return `Did you mean '${nearest}'?`;
  return known.length === 0 || known.length > MAX_LISTED ? undefined : `Known here: ${known.join(", ")}.`;
}

function sorted(name: string): string {
  return fold(name).split("").sort().join("");
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, "");
}
