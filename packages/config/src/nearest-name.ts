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

/** Nobody reads a longer list, such as that of all time zones. */
const MAX_LISTED = 20;

/** A hint for a word that is not known: the one that was probably meant, or all where these are few. */
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
