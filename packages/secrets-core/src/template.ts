import { quoteText } from "./errors.ts";
import { parseReference, type ReferenceWithOptions } from "./reference.ts";

/** A part of a template: literal text, or a reference. `start` and `end` count UTF-16 code units. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | ({ readonly kind: "reference"; readonly start: number; readonly end: number } & ReferenceWithOptions);

/** Text between braces that is not a reference. `start` and `end` count UTF-16 code units. */
export interface TemplateProblem {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** A parsed string. */
export interface Template {
  readonly source: string;
  readonly parts: readonly TemplatePart[];
  /** Empty if the string is well-formed. */
  readonly problems: readonly TemplateProblem[];
}

/**
 * Parses a string into text and references such as `{{ secrets.DB.password }}`. A backslash escapes: `\{{` is a literal
 * `{{`, and `\\{{` a backslash before a reference. An unclosed `{{` is a problem and not text, so that a typing error
 * does not print a reference instead of a value. Never throws.
 *
 * @example
 * ```ts
 * import { parseTemplate } from "@autokestra/secrets-core";
 *
 * const { parts } = parseTemplate("Bearer {{ secrets.GITHUB_TOKEN }}");
 * const names = parts.flatMap((part) =>
 *   part.kind === "reference" && part.reference.root === "secrets" ? [part.reference.name] : [],
 * );
 * console.log(names); // prints [ 'GITHUB_TOKEN' ]
 *
 * const [problem] = parseTemplate("Bearer {{ secret.GITHUB_TOKEN }}").problems;
 * console.log(problem?.start, problem?.message.slice(0, 40)); // prints 7 Unknown reference 'secret.GITHUB_TOKEN':
 * ```
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
      const { reference, fallback, filters } = result;
      parts.push({ kind: "reference", reference, fallback, filters, start: open, end });
      text = "";
    } else {
      problems.push({ message: result.problem, start: open, end });
    }
    at = end;
  }
  text += source.slice(at);
  if (text !== "") parts.push({ kind: "text", text });
  return { source, parts, problems };
}

/** Counts the backslashes directly before `end`, from `start` on. */
function countBackslashes(source: string, start: number, end: number): number {
  let at = end;
  while (at > start && source[at - 1] === "\\") at -= 1;
  return end - at;
}
