import type { Masker } from "@autokestra/secrets-masker";

/** Plugins, libraries and Node itself write it where they cut a text: `Received type string ('abc...)`. */
const ELLIPSIS = /(…|\.{3,})/;

/** Fewer characters that a value begins with as well are chance. */
const SHORTEST_BEGINNING = 4;

/**
 * Masks a text of which others may have cut pieces, and leaves out what stands before an ellipsis and can be the beginning of a value:
 * a masker finds whole values only.
 */
export function maskCutText(text: string, masker: Pick<Masker, "mask" | "stream">): string {
  if (!ELLIPSIS.test(text)) return masker.mask(text);
  const pieces = masker.mask(text).split(ELLIPSIS);
  return pieces
    .map((piece, at) => (ELLIPSIS.test(pieces[at + 1] ?? "") ? withoutBeginning(piece, masker) : piece))
    .join("");
}

/** A stream holds back what may become a value. */
function withoutBeginning(piece: string, masker: Pick<Masker, "stream">): string {
  const shown = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    masker.stream().push(new TextEncoder().encode(piece)),
  );
  return piece.length - shown.length < SHORTEST_BEGINNING && piece.startsWith(shown) ? piece : shown;
}
