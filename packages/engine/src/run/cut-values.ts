import type { Masker } from "@autokestra/secrets-masker";

/** Plugins, libraries and Node itself write it where they cut a text: `Received type string ('abc...)`. */
const ELLIPSIS = /(…|\.{3,})/;

/**
 * Masks a text of which others may have cut pieces, and leaves out what stands before an ellipsis and can be the beginning of a value:
 * a masker finds whole values only.
 *
 * @param shortest fewer characters that a value begins with as well are chance
 */
export function maskCutText(text: string, masker: Pick<Masker, "mask" | "stream">, shortest: number): string {
  if (!ELLIPSIS.test(text)) return masker.mask(text);
  const pieces = masker.mask(text).split(ELLIPSIS);
  // Every second one is an ellipsis.
  return pieces
    .map((piece, at) => {
      const isCut = at % 2 === 0 && at < pieces.length - 1 && piece.length >= shortest;
      return isCut ? withoutBeginning(piece, masker, shortest) : piece;
    })
    .join("");
}

/** A stream holds back what may become a value. */
function withoutBeginning(piece: string, masker: Pick<Masker, "stream">, shortest: number): string {
  const shown = Buffer.from(masker.stream().push(Buffer.from(piece))).toString();
  return piece.length - shown.length < shortest && piece.startsWith(shown) ? piece : shown;
}
