import { quoteText } from "./errors.ts";
import { parseReference, type Reference } from "./reference.ts";

/** A piece of a string: text as it stands, or a reference. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reference"; readonly reference: Reference; readonly start: number; readonly end: number };

/** Something between braces that is no reference. `start` and `end` count UTF-16 units. */
export interface TemplateProblem {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** A string, taken apart. */
export interface Template {
  readonly parts: readonly TemplatePart[];
  /** Empty where the string is well-formed. */
  readonly problems: readonly TemplateProblem[];
}

/**
 * Takes a string apart into text and references, in one pass. `\{{` is a literal `{{`, `\\{{` a backslash and a reference: of the
 * backslashes before `{{` each pair stands for one. An unclosed `{{` is a problem, not
 * text: a typing error must not print a reference where a value was meant.
 */
export function parseTemplate(source: string): Template {
  const parts: TemplatePart[] = [];
  const problems: TemplateProblem[] = [];
  let text = "";
  let at = 0;
  for (let open = source.indexOf("{{"); open !== -1; open = source.indexOf("{{", at)) {
    const backslashes = countBackslashes(source, at, open);
    text += source.slice(at, open - Math.ceil(backslashes / 2));
    if (backslashes % 2 === 1) {
      text += "{{";
      at = open + 2;
      continue;
    }
    const close = source.indexOf("}}", open + 2);
    const end = close === -1 ? source.length : close + 2;
    const inside = source.slice(open + 2, close === -1 ? undefined : close);
    const result = parseReference(inside);
    if (close === -1) {
      problems.push({
        message: `Unclosed reference '${quoteText(source.slice(open))}': expected }}`,
        start: open,
        end,
      });
    } else if (result.ok) {
      if (text !== "") parts.push({ kind: "text", text });
      parts.push({ kind: "reference", reference: result.reference, start: open, end });
      text = "";
    } else {
      problems.push({ message: result.problem, start: open, end });
    }
    at = end;
  }
  text += source.slice(at);
  if (text !== "") parts.push({ kind: "text", text });
  return { parts, problems };
}

/** How many backslashes stand directly before `end`, not before `start`. */
function countBackslashes(source: string, start: number, end: number): number {
  let at = end;
  while (at > start && source[at - 1] === "\\") at -= 1;
  return end - at;
}
