const LENGTH = 200;

/** An overlap of fewer characters is chance. */
const SHORTEST_OVERLAP = 4;

/**
 * The beginning of a text of the server's, for a message. Where the cut would go through something that the server gives back of
 * what was sent, all of that is left out: a masker finds whole secrets, not the first half of one. The engine leaves out the first half
 * of any other secret, for it stands before an ellipsis.
 *
 * @param sent what the request holds, in the forms in which a server gives it back
 */
export function excerpt(text: string, sent: readonly string[]): string {
  const trimmed = text.trim();
  const end = Array.from(trimmed.slice(0, 2 * LENGTH))
    .slice(0, LENGTH)
    .join("").length;
  if (end === trimmed.length) return trimmed;
  return `${trimmed.slice(0, Math.min(...sent.map((one) => startOfOverlap(trimmed, end, one)), end))}…`;
}

/** Where the longest piece of `sent` begins that the cut would go through, or `end`. */
function startOfOverlap(text: string, end: number, sent: string): number {
  let start = end;
  while (start > 0 && sent.includes(text.slice(start - 1, end + 1))) start -= 1;
  let next = end;
  while (next < text.length && next - start < SHORTEST_OVERLAP && sent.includes(text.slice(start, next + 1))) next += 1;
  return start < end && next - start >= SHORTEST_OVERLAP ? start : end;
}
