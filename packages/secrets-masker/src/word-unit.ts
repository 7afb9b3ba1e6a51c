/** A letter, a digit or an underscore: of ASCII only, so that text and its bytes are judged alike. */
export function isWordUnit(unit: number): boolean {
  return unit >= 0 && unit < 0x80 && /^\w$/.test(String.fromCharCode(unit));
}
