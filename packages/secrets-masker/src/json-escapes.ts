/** How an encoder writes a text between the quotes of a JSON string. */
type JsonEscape = (text: string) => string;

/** The encoders in use: what each escapes beyond the need of RFC 8259 section 7. */
const FLAVOURS: readonly JsonEscape[] = [
  jsonBody,
  (text) => escapeUnits(text, /\u007f/g), // jq
  (text) => escapeUnits(text, /[\u007f-\uffff]/g), // Python: ASCII only
  (text) => escapeUnits(text, /[<>&\u2028\u2029]/g), // Go, Rails: can stand in a script of HTML
  (text) => jsonBody(text).replaceAll("/", "\\/"), // PHP with JSON_UNESCAPED_UNICODE
  (text) => escapeUnits(text, /[\u0080-\uffff]/g).replaceAll("/", "\\/"), // PHP
  (text) => escapeUnits(text, /[<>&='\u2028\u2029]/g), // Gson
  dotNet,
];

/** The value between the quotes of a JSON string. */
export function jsonEscapes(value: string): readonly string[] {
  return FLAVOURS.map((flavour) => flavour(value));
}

/** The same, and where that JSON is part of another JSON string, and that one of a third. */
export function nestedJsonEscapes(value: string): readonly string[] {
  const nest = (texts: readonly string[]) => texts.map((text, index) => FLAVOURS[index]?.(text) ?? text);
  const once = jsonEscapes(value);
  const twice = nest(once);
  return [...once, ...twice, ...nest(twice)];
}

/** The text as `JSON.stringify` has it, without the quotes. */
export function jsonBody(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function escapeUnits(text: string, units: RegExp): string {
  return jsonBody(text).replace(units, (unit) => `\\u${hex(unit)}`);
}

/** System.Text.Json with its default encoder: upper case, and quotes as numbers. */
function dotNet(text: string): string {
  return jsonBody(text)
    .replaceAll('\\"', '"')
    .replace(/\\u[0-9a-f]{4}/g, (escaped) => `\\u${escaped.slice(2).toUpperCase()}`)
    .replace(/["&'+<>`\u007f-\uffff]/g, (unit) => `\\u${hex(unit).toUpperCase()}`);
}

function hex(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, "0");
}
