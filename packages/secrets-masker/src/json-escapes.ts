/** The value between the quotes of a JSON string (RFC 8259 section 7), as the encoders in use write it. */
export function jsonEscapes(value: string): readonly string[] {
  const plain = jsonBody(value);
  return [
    plain,
    jsonBody(plain), // JSON inside a JSON string
    plain.replaceAll("/", "\\/"), // PHP
    plain.replace(/[<>&]/g, unicodeEscape), // Go
    plain.replace(/[\u0080-\uffff]/g, unicodeEscape), // Python: ASCII only
  ];
}

function jsonBody(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
