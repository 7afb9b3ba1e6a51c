/** A standard of the WHATWG that every runtime has. Core includes the types of no platform. */
declare const URL: new (text: string) => unknown;

/**
 * Whether `new URL(text)` takes a text. `URL.canParse` of Node.js 20 is not asked: once it has been called some thousand times, it takes
 * a text with characters such as `ü` for none.
 */
export function isUrl(text: string): boolean {
  try {
    return Boolean(new URL(text));
  } catch {
    return false;
  }
}
