const QUOTES = ['"', "&quot;", "&#34;"];
const APOSTROPHES = ["'", "&apos;", "&#39;", "&#x27;", "&#039;"];

/** The value in HTML or XML, as text and as an attribute. */
export function htmlEscapes(value: string): readonly string[] {
  const text = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const attribute = text.replaceAll('"', "&quot;");
  const inXml = [attribute, attribute.replaceAll("\t", "&#09;")].map((escaped) =>
    escaped.replace(/[\t\n\r]/g, decimal),
  );
  const inHtml = value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return [
    // Each way to write a quote with each way to write an apostrophe.
    ...QUOTES.flatMap((quote) =>
      APOSTROPHES.map((apostrophe) => text.replaceAll('"', quote).replaceAll("'", apostrophe)),
    ),
    inHtml, // innerHTML leaves < and > in an attribute
    inHtml.replaceAll("<", "&lt;"), // and XML the >
    ...inXml,
    ...[text, attribute, ...inXml].map((escaped) => escaped.replace(/[\u0080-\u{10ffff}]/gu, decimal)), // ASCII only
    text.replace(/["']/g, decimal).replace(/[\t\n\r]/g, hexadecimal), // Go
    attribute.replace(/['`=]/g, hexadecimal), // Handlebars
  ];
}

function decimal(character: string): string {
  return `&#${character.codePointAt(0) ?? 0};`;
}

function hexadecimal(character: string): string {
  return `&#x${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()};`;
}
