import { utf8Units } from "./units.ts";

/** Node prints so many bytes of a Buffer (`buffer.INSPECT_MAX_BYTES`). */
const INSPECTED = 50;

/** The bytes of the value in hexadecimal, in one piece and with what is written in between: by Node, by OpenSSL, by .NET. */
export function hexEncodings(value: string): readonly string[] {
  const bytes = hexBytes(value);
  return [
    ...["", " ", ":"].map((separator) => bytes.join(separator)),
    bytes.slice(0, INSPECTED).join(" "),
    ...["", ":", "-"].map((separator) => bytes.join(separator).toUpperCase()),
  ];
}

/** The bytes of the value as numbers: a Buffer in JSON, a list in Python. */
export function byteLists(value: string): readonly string[] {
  const bytes = Array.from(utf8Units(value), (unit) => unit.charCodeAt(0));
  return [bytes.join(","), bytes.join(", ")];
}

export function hexBytes(value: string): readonly string[] {
  return Array.from(utf8Units(value), (unit) => unit.charCodeAt(0).toString(16).padStart(2, "0"));
}
