import { quoteText } from "./errors.ts";
import { isIdentifier, type SecretName } from "./secret-name.ts";

/** What stands between `{{` and `}}`. */
export type Reference =
  | { readonly root: "secrets"; readonly name: SecretName; readonly field: string | null }
  | { readonly root: "inputs"; readonly name: string }
  | { readonly root: "tasks"; readonly id: string; readonly path: readonly string[] }
  | { readonly root: "execution" | "workflow" };

/** A reference, or why the text is none. */
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
 * Reads the inside of `{{ … }}`: a root and a path, nothing more. There are no expressions, so there is nothing to escape
 * from.
 *
 * @param inside the text between the braces, with or without spaces around
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

/** Spaces, tabs and line ends, no others. A regular expression for the end would try at every space. */
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

/** The reference as one would write it, without braces: `secrets.DB.username`. */
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
