import { base64Inside, type Fragment } from "./base64.ts";
import { hexBytes } from "./hex.ts";
import { utf8Units } from "./units.ts";

/** A shorter line is no proof of anything: base64 and hex are made of so few characters. */
const MIN_LINE = 16;

/** The lines of base64 with the columns of `base64` and MIME, and of PEM. Whatever follows the value, such as a line end. */
export function wrappedBase64(value: string): readonly Fragment[] {
  const [encoded] = base64Inside(utf8Units(value));
  return encoded === undefined ? [] : [76, 64].flatMap((columns) => wrap(encoded, columns));
}

/** The lines of hex with the columns of `xxd -p`, and 64. */
export function wrappedHex(value: string): readonly Fragment[] {
  const encoded = { text: hexBytes(value).join(""), before: "", after: "" };
  return [60, 64].flatMap((columns) => wrap(encoded, columns));
}

/** The lines of what is longer than one. A short last line is looked for behind the one before it. */
function wrap({ text, after }: Fragment, columns: number): readonly Fragment[] {
  const starts = Array.from({ length: Math.ceil(text.length / columns) }, (_, index) => index * columns);
  if (starts.length < 2) return [];
  const lines = starts.map((start) => text.slice(start, start + columns));
  const last = lines.pop() ?? "";
  const ends =
    last.length < MIN_LINE ? ["\n", "\r\n", "\\n"].map((end) => `${lines.at(-1) ?? ""}${end}${last}`) : [last];
  return [
    ...lines.map((line) => ({ text: line, before: "", after: "" })),
    ...ends.map((end) => ({ text: end, before: "", after })),
  ];
}
