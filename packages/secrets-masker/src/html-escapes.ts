const QUOTES = ['"', "&quot;", "&#34;"];
const APOSTROPHES = ["'", "&apos;", "&#39;", "&#x27;", "&#039;"];

/** The value in HTML or XML: each way to write a quote with each way to write an apostrophe. */
export function htmlEscapes(value: string): readonly string[] {
  const text = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return QUOTES.flatMap((quote) =>
    APOSTROPHES.map((apostrophe) => text.replaceAll('"', quote).replaceAll("'", apostrophe)),
  );
}
