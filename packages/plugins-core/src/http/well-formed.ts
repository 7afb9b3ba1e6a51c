/** What a message says of text that is not. */
export const WELL_FORMED = "text without halves of surrogate pairs";

/** False for text that UTF-8 cannot hold: each half of a pair would silently become U+FFFD. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
