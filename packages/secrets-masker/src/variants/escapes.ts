import { MIN_LENGTH_ANYWHERE } from "../values/part.ts";
import { utf8Units } from "./encodings.ts";

const QUOTE_ENTITIES = ['"', "&quot;", "&#34;"];
const APOSTROPHES = ["'", "&apos;", "&#39;", "&#x27;", "&#039;"];

/** The value in HTML or XML, as text and as an attribute. */
export function htmlEscapes(value: string): readonly string[] {
  const text = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const attribute = text.replaceAll('"', "&quot;");
  const inXml = [attribute, attribute.replaceAll("\t", "&#09;")].map((escaped) =>
    escaped.replace(/[\t\n\r]/g, decimalEntity),
  );
  const inHtml = value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
  return [
    // Every combination of a quote and an apostrophe.
    ...QUOTE_ENTITIES.flatMap((quote) =>
      APOSTROPHES.map((apostrophe) => text.replaceAll('"', quote).replaceAll("'", apostrophe)),
    ),
    inHtml, // innerHTML leaves < and > in an attribute
    inHtml.replaceAll("<", "&lt;"), // and XML the >
    ...inXml,
    ...[text, attribute, ...inXml].map((escaped) => escaped.replace(/[\u0080-\u{10ffff}]/gu, decimalEntity)), // ASCII only
    text.replace(/["']/g, decimalEntity).replace(/[\t\n\r]/g, hexadecimalEntity), // Go
    attribute.replace(/['`=]/g, hexadecimalEntity), // Handlebars
    attribute.replaceAll("'", "&#39;").replace(/[/`=]/g, hexadecimalEntity), // Mustache
    attribute.replaceAll("`", "&#96;").replace(/['/\\]/g, hexadecimalEntity), // validator
    value.replace(/["&'<>`\u0080-\u{10ffff}]/gu, hexadecimalEntity), // he
  ];
}

function decimalEntity(character: string): string {
  return `&#${character.codePointAt(0) ?? 0};`;
}

function hexadecimalEntity(character: string): string {
  return `&#x${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()};`;
}

/** How an encoder writes a text between the quotes of a JSON string. */
type JsonEscape = (text: string) => string;

/** Common encoders, which differ in what they escape beyond the requirements of RFC 8259, section 7. */
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

/** The same, also if that JSON is part of another JSON string, and that one of a third. */
export function nestedJsonEscapes(value: string): readonly string[] {
  const nest = (texts: readonly string[]) => texts.map((text, index) => FLAVOURS[index]?.(text) ?? text);
  const once = jsonEscapes(value);
  const twice = nest(once);
  return [...once, ...twice, ...nest(twice)];
}

/** The text as `JSON.stringify` writes it, without the quotes. */
export function jsonBody(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function escapeUnits(text: string, units: RegExp): string {
  return jsonBody(text).replace(units, (unit) => `\\u${hex(unit)}`);
}

/** System.Text.Json with its default encoder: hex digits in upper case, quotes as numbers. */
function dotNet(text: string): string {
  return jsonBody(text)
    .replaceAll('\\"', '"')
    .replace(/\\u[0-9a-f]{4}/g, (escaped) => `\\u${escaped.slice(2).toUpperCase()}`)
    .replace(/["&'+<>`\u007f-\uffff]/g, (unit) => `\\u${hex(unit).toUpperCase()}`);
}

function hex(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, "0");
}

/** How a language writes a string literal. */
interface Literal {
  readonly escaped: RegExp;
  /** The letter after the backslash, for characters that have one. */
  readonly letters: Readonly<Record<string, string>>;
  /** Returns the whole escape of any other character. */
  readonly number: (character: string) => string;
}

const COMMON = { "\n": "n", "\r": "r", "\t": "t", "\\": "\\" };
const OF_C = { ...COMMON, "\u0007": "a", "\b": "b", "\f": "f", "\v": "v" };
const OF_GO = { ...OF_C, '"': '"' };
const OF_YAML = { ...OF_GO, "\0": "0", "\u001b": "e", "\u0085": "N", "\u00a0": "_", "\u2028": "L", "\u2029": "P" };
const OF_BASH = { ...OF_C, "\u001b": "E", "'": "'" };

const NODE: Literal = { escaped: /[\p{Cc}\p{Cs}\\]/gu, letters: { ...COMMON, "\b": "b", "\f": "f" }, number: byNode };
const PYTHON: Literal = { escaped: /(?! )[\p{C}\p{Z}\\]/gu, letters: COMMON, number: hexadecimal };
const PYTHON_ASCII: Literal = { escaped: /[^ -~]|\\/gu, letters: COMMON, number: hexadecimal };
const GO: Literal = { escaped: /(?! )[\p{C}\p{Z}\\"]/gu, letters: OF_GO, number: byGo };
const GO_ASCII: Literal = { escaped: /[^ -~]|[\\"]/gu, letters: OF_GO, number: byGo };
const YAML: Literal = { escaped: /(?! )[\p{C}\p{Z}\\"\u{10000}-\u{10ffff}]/gu, letters: OF_YAML, number: upperCase };
const YAML_ASCII: Literal = { escaped: /[^ -~]|[\\"]/gu, letters: OF_YAML, number: upperCase };
const BASH: Literal = { escaped: /[\p{Cc}\\']/gu, letters: OF_BASH, number: octal };
const BASH_ASCII: Literal = { escaped: /[^ -~]|[\\']/gu, letters: OF_BASH, number: octal };

/** The value as a string literal, as `util.inspect`, `repr`, `%q`, YAML and `$''` write it. */
export function stringLiterals(value: string): readonly string[] {
  const single = [
    write(value, NODE),
    write(value, PYTHON),
    write(value, PYTHON_ASCII),
    write(utf8Units(value), PYTHON_ASCII), // bytes
  ];
  return [
    ...single, // between quotes that the value does not have
    ...single.map((text) => text.replaceAll("'", "\\'")),
    ...[GO, GO_ASCII, YAML, YAML_ASCII, BASH, BASH_ASCII].map((literal) => write(value, literal)),
  ];
}

function write(text: string, { escaped, letters, number }: Literal): string {
  return text.replace(escaped, (character) => {
    const letter = letters[character];
    return letter === undefined ? number(character) : `\\${letter}`;
  });
}

function hexadecimal(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const digits = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
  return `\\${{ 2: "x", 4: "u", 8: "U" }[digits]}${code.toString(16).padStart(digits, "0")}`;
}

function upperCase(character: string): string {
  const escaped = hexadecimal(character);
  return escaped.slice(0, 2) + escaped.slice(2).toUpperCase();
}

/** Upper case for bytes, lower case for lone surrogates. */
function byNode(character: string): string {
  return character < "\u0100" ? upperCase(character) : hexadecimal(character);
}

/** Go does not write a character outside ASCII as a byte. */
function byGo(character: string): string {
  const escaped = hexadecimal(character);
  return character < "\u0080" ? escaped : escaped.replace("\\x", "\\u00");
}

/** Escapes each byte of the UTF-8. */
function octal(character: string): string {
  return Array.from(utf8Units(character), (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
}

/** Escapes what one way of quoting requires. */
type Quote = (text: string) => string;

/**
 * How shells, and languages that quote like them, write a value: as it is typed, and as `set -x` and errors show it.
 */
const SHELL_QUOTES: readonly Quote[] = [
  (text) => text.replaceAll("'", String.raw`'\''`), // between '': sh, bash, zsh
  (text) => text.replace(/'+/g, (quotes) => `'"${quotes}"'`), // between '': dash, ash
  (text) => text.replaceAll("'", `'"'"'`), // between '': Python's shlex
  (text) => text.replace(/["\\$`]/g, "\\$&"), // between "": sh, bash, zsh
  (text) => text.replaceAll('"', '\\"'), // between "": docker
  windowsArgument, // between "": Windows
  (text) => text.replace(/[\s"'\\|&;()<>{}*[\]?^!,$`]/g, "\\$&"), // nothing around it: printf %q
  (text) => text.replace(/[^\w.,:+/@\n-]/gu, "\\$&").replaceAll("\n", "'\n'"), // nothing around it: Ruby's Shellwords
  (text) => text.replace(/[^\w\u0080-\uffff]/g, "\\$&"), // Perl's quotemeta
  (text) => text.replace(/[\\']/g, "\\$&"), // between '': fish, PHP's var_export, Perl
  (text) => text.replaceAll("'", "''"), // between '': SQL, PowerShell, YAML
  (text) => text.replace(/["$`]/g, "`$&"), // between "": PowerShell
  (text) => text.replaceAll('"', '""'), // between "": CSV, SQL names, cmd
  (text) => text.replaceAll("$", "$$$$"), // make, Maven, Docker Compose
  (text) => text.replaceAll("%", "%%"), // batch files, printf
  (text) => text.replace(/[&|<>()^"%!]/g, "^$&"), // cmd
];

/** Removes what a shell reads as an escape. */
const UNQUOTES: readonly Quote[] = [
  (text) => text.replace(/\\(\\?)/g, "$1"), // sh
  (text) => text.replace(/\^(\^?)/g, "$1"), // cmd
];

/** The value as one word of a command, and as a command prints it that received it without quotes. */
export function shellQuotes(value: string): readonly string[] {
  const unquoted = UNQUOTES.map((unquote) => unquote(value));
  // Without escapes, `\t\e\s\t` is an ordinary word.
  return [
    ...SHELL_QUOTES.map((quote) => quote(value)),
    ...unquoted.filter((text) => text.length >= MIN_LENGTH_ANYWHERE),
  ];
}

/** Backslashes are doubled only before a quote, including the closing one. */
function windowsArgument(text: string): string {
  return text.replace(/\\+|"/g, (found, offset: number) => {
    if (found === '"') return '\\"';
    const next = text.charAt(offset + found.length);
    return next === '"' || next === "" ? found + found : found;
  });
}
