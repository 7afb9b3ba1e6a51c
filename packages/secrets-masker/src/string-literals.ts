import { utf8Units } from "./units.ts";

/** How a language writes a text as a literal of its own. */
interface Literal {
  readonly escaped: RegExp;
  /** The letter behind the backslash, for characters that have one. */
  readonly letters: Readonly<Record<string, string>>;
  /** The whole escape of any other character. */
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

/** The value as debuggers, error messages and files of settings have it: `util.inspect`, `repr`, `%q`, YAML and `$''`. */
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

/** A character that is not ASCII is not written as a byte. */
function byGo(character: string): string {
  const escaped = hexadecimal(character);
  return character < "\u0080" ? escaped : escaped.replace("\\x", "\\u00");
}

/** Each byte of the UTF-8. */
function octal(character: string): string {
  return Array.from(utf8Units(character), (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, "0")}`).join("");
}
