import { quoteText } from "./errors.ts";
import { isIdentifier, type SecretName } from "./secret-name.ts";

/** A part of a template: literal text, or a reference. `start` and `end` count UTF-16 code units. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "reference"; readonly reference: Reference; readonly start: number; readonly end: number };

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
      parts.push({ kind: "reference", reference: result.reference, start: open, end });
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

/** What is written between `{{` and `}}`. */
export type Reference =
  | { readonly root: "secrets"; readonly name: SecretName; readonly field: string | null }
  | { readonly root: "inputs"; readonly name: string }
  | { readonly root: "tasks"; readonly id: string; readonly path: readonly string[] }
  | { readonly root: "execution" | "workflow" };

/** A reference, or why the text is not one. */
export type ReferenceResult =
  | { readonly ok: true; readonly reference: Reference }
  | { readonly ok: false; readonly problem: string };

const SPACES = new Set([" ", "\t", "\r", "\n"]);

const FORMS = {
  secrets: "secrets.NAME or secrets.NAME.field",
  inputs: "inputs.NAME",
  tasks: "tasks.ID.output or tasks.ID.output.field",
  execution: "execution.id",
  workflow: "workflow.id",
};

/**
 * Parses the text between `{{` and `}}`: a root and a path. There are no expressions, so no value can become code.
 *
 * @param inside the text between the braces, with or without spaces around it
 */
export function parseReference(inside: string): ReferenceResult {
  const path = trimSpaces(inside);
  const [root = "", ...rest] = path.split(".", 100);
  if (!isRoot(root)) {
    return {
      ok: false,
      problem: `Unknown reference '${quoteText(path)}': expected ${Object.values(FORMS).join(", ")}`,
    };
  }
  const reference = rest.every(isIdentifier) ? readPath(root, rest) : null;
  if (reference !== null) return { ok: true, reference };
  return { ok: false, problem: `Malformed reference '${quoteText(path)}': expected ${FORMS[root]}` };
}

/** Removes spaces, tabs and line ends. A regular expression would take quadratic time for many spaces. */
function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACES.has(text.charAt(start))) start += 1;
  while (end > start && SPACES.has(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isRoot(word: string): word is keyof typeof FORMS {
  return Object.hasOwn(FORMS, word);
}

function readPath(root: keyof typeof FORMS, path: readonly string[]): Reference | null {
  const [first, second] = path;
  if (first === undefined) return null;
  switch (root) {
    case "secrets":
      // parseReference has checked the form of every part.
      return path.length <= 2 ? { root, name: first as SecretName, field: second ?? null } : null;
    case "inputs":
      return path.length === 1 ? { root, name: first } : null;
    case "tasks":
      return second === "output" ? { root, id: first, path: path.slice(2) } : null;
    default:
      return path.length === 1 && first === "id" ? { root } : null;
  }
}

/** Returns a reference as it is written, without braces: `secrets.DB.username`. */
export function formatReference(reference: Reference): string {
  switch (reference.root) {
    case "secrets":
      return ["secrets", reference.name, reference.field].filter((part) => part !== null).join(".");
    case "inputs":
      return `inputs.${reference.name}`;
    case "tasks":
      return ["tasks", reference.id, "output", ...reference.path].join(".");
    default:
      return `${reference.root}.id`;
  }
}

/** The prefixes of tokens of well-known services. Nothing else begins like this, so any text may follow. */
const PREFIXES = [
  "[sr]k_(?:live|test)_",
  "gh[pousr]_|github_pat_|gl(?:pat|dt|rt)-",
  "xox[abprs]-|xapp-",
  "sk-(?:ant|proj)-|hv[sb]\\.|dop_v1_|shp(?:at|ss)_|whsec_|AGE-SECRET-KEY-",
];

/** Prefixes that other words have too, with the minimum length of a token. */
const PATTERNS = [
  "(?:AKIA|ASIA)[0-9A-Z]{12,}",
  "AIza[\\w-]{30,}",
  "ya29\\.[\\w-]{16,}",
  "SG\\.[\\w-]{16,}",
  "npm_[A-Za-z0-9]{20,}",
  "hf_[A-Za-z0-9]{20,}",
  "sk-[A-Za-z0-9]{20,}",
  "eyJ[\\w-]{8,}\\.eyJ[\\w-]*",
  "-----BEGIN [A-Z ]*PRIVATE KEY",
];

const TOKEN = new RegExp(`(?<![A-Za-z0-9])(?:(?:${PREFIXES.join("|")})\\w|${PATTERNS.join("|")})`);
/** A private key ends with its last line, any other token before the first character that tokens do not have. */
const WHOLE_TOKEN = new RegExp(
  `${TOKEN.source}(?:(?<=-----BEGIN [A-Z ]*PRIVATE KEY)[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)|[\\w.~+/=-]*)`,
  "g",
);

/** Tells whether a text contains what looks like a token of a well-known service, such as `ghp_…` or `AKIA…`. */
export function holdsToken(text: string): boolean {
  return TOKEN.test(text);
}

/** A part of a text. `start` and `end` count UTF-16 code units. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** Finds what {@link holdsToken} sees, from its first character to its last. */
export function findTokens(text: string): readonly TextSpan[] {
  return [...text.matchAll(WHOLE_TOKEN)].map(({ 0: token, index }) => ({ start: index, end: index + token.length }));
}
