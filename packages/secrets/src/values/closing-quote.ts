/** Where the next double quote is that no backslash escapes, or -1. */
export function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 1)) {
    let start = at;
    while (start > from && text[start - 1] === "\\") start -= 1;
    if ((at - start) % 2 === 0) return at;
  }
  return -1;
}
