/**
 * Reads a URL; null if it is not one. `URL.canParse` of Node.js 20 is not asked: once it has been called some thousand times, it takes
 * a text with characters such as `ü` for none.
 */
export function parseUrl(text: string, base?: URL): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}
