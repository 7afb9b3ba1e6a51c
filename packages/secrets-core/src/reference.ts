import { quoteText } from "./errors.ts";
import { isIdentifier, type SecretName } from "./secret-name.ts";

/** What a reference stands for. A path leads into a value: keys of objects and positions in lists. */
export type Reference =
  | { readonly root: "secrets"; readonly name: SecretName; readonly field: string | null }
  | { readonly root: "inputs"; readonly name: string; readonly path: readonly string[] }
  | {
      readonly root: "tasks";
      readonly id: string;
      readonly part: "output" | "status" | "error";
      readonly path: readonly string[];
    }
  /** The current item of a `forEach`. */
  | { readonly root: "item"; readonly path: readonly string[] }
  /** The position of the current item, from 0. */
  | { readonly root: "index" }
  | { readonly root: "run"; readonly part: "status" | "failedTask" | "error" }
  | { readonly root: "execution" | "workflow" };

/** A value that a file can write behind `??`. */
export type Literal = string | number | boolean;

/** Changes the text of a value: `| base64`. */
export type Filter = (typeof FILTERS)[number];

/** A reference, and what may follow it between `{{` and `}}`. */
export interface ReferenceWithOptions {
  readonly reference: Reference;
  /** What stands for a key that is not there, or null; null without a `??`. */
  readonly fallback: { readonly value: Literal } | null;
  /** In their order. */
  readonly filters: readonly Filter[];
}

/** A reference, or why the text is not one. */
export type ReferenceResult =
  | ({ readonly ok: true } & ReferenceWithOptions)
  | { readonly ok: false; readonly problem: string };

const FILTERS = ["base64", "json", "urlencode", "trim"] as const;
const MAX_FILTERS = 4;

const FORMS = {
  secrets: "secrets.NAME or secrets.NAME.field",
  inputs: "inputs.NAME or inputs.NAME.field",
  tasks: "tasks.ID.output, tasks.ID.output.field, tasks.ID.status, tasks.ID.error or tasks.ID.error.field",
  item: "item or item.field",
  index: "index",
  run: "run.status, run.failedTask or run.error",
  execution: "execution.id",
  workflow: "workflow.id",
};

/** What can be missing, so that `??` makes sense. A missing secret stops a run before its first task. */
const WITH_FALLBACK: ReadonlySet<string> = new Set<Reference["root"]>(["inputs", "tasks", "item"]);

const SPACES = new Set([" ", "\t", "\r", "\n"]);

/**
 * Parses the text between `{{` and `}}`: a root and a path, then `?? literal` and filters. There are no expressions, so
 * no value can become code.
 *
 * @param inside the text between the braces, with or without spaces around it
 */
export function parseReference(inside: string): ReferenceResult {
  const text = trimSpaces(inside);
  const path = trimSpaces(text.slice(0, endOfPath(text)));
  const [root = "", ...rest] = path.split(".", 100);
  if (!isRoot(root)) {
    return {
      ok: false,
      problem: `Unknown reference '${quoteText(text)}': expected ${Object.values(FORMS).join(", ")}`,
    };
  }
  const reference = rest.every(isIdentifier) ? readPath(root, rest) : null;
  const malformed = (expected: string): ReferenceResult => ({
    ok: false,
    problem: `Malformed reference '${quoteText(text)}': expected ${expected}`,
  });
  if (reference === null) return malformed(FORMS[root]);
  const options = readOptions(text.slice(endOfPath(text)));
  if (typeof options === "string") return malformed(options);
  if (options.fallback !== null && !WITH_FALLBACK.has(root)) {
    return malformed(`no ?? after ${root}: only inputs, tasks and item can be missing`);
  }
  return { ok: true, reference, ...options };
}

/** The offset of the first `??` or `|`, or the length of the text. */
function endOfPath(text: string): number {
  const ends = [text.indexOf("??"), text.indexOf("|")].filter((at) => at !== -1);
  return Math.min(...ends, text.length);
}

/** Returns what follows a path, or what was expected there. */
function readOptions(text: string): Omit<ReferenceWithOptions, "reference"> | string {
  let rest = text;
  let fallback: ReferenceWithOptions["fallback"] = null;
  if (rest.startsWith("??")) {
    const read = readLiteral(trimSpaces(rest.slice(2)));
    if (read === null) return 'text in double quotes, a number, true or false after ??, as in ?? "latest"';
    fallback = { value: read.value };
    rest = trimSpaces(read.rest);
  }
  if (rest === "") return { fallback, filters: [] };
  const [before = "", ...names] = rest.split("|").map(trimSpaces);
  const filters = names.flatMap((name) => FILTERS.find((filter) => filter === name) ?? []);
  if (before !== "" || filters.length < names.length) return `the filters ${FILTERS.join(", ")}, each after a |`;
  if (filters.length > MAX_FILTERS) return `at most ${MAX_FILTERS} filters`;
  return { fallback, filters };
}

const LITERAL = /^(?:"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false)(?![\w.])/;

/** Reads the literal that a text begins with; null if there is none. `1.10` is not a literal, because it would become 1.1. */
export function readLiteral(text: string): { readonly value: Literal; readonly rest: string } | null {
  const [word] = LITERAL.exec(text) ?? [];
  if (word === undefined) return null;
  try {
    const value: Literal = JSON.parse(word);
    if (typeof value === "number" && String(value) !== word) return null;
    return { value, rest: text.slice(word.length) };
  } catch {
    return null;
  }
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
  const [first, second, ...more] = path;
  if (root === "item") return { root, path };
  if (root === "index") return first === undefined ? { root } : null;
  if (first === undefined) return null;
  switch (root) {
    case "secrets":
      // parseReference has checked the form of every part.
      return path.length <= 2 ? { root, name: first as SecretName, field: second ?? null } : null;
    case "inputs":
      return { root, name: first, path: path.slice(1) };
    case "tasks":
      if (second === "output" || second === "error") return { root, id: first, part: second, path: more };
      return second === "status" && more.length === 0 ? { root, id: first, part: second, path: [] } : null;
    case "run":
      if (path.length > 1) return null;
      return first === "status" || first === "failedTask" || first === "error" ? { root, part: first } : null;
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
      return ["inputs", reference.name, ...reference.path].join(".");
    case "tasks":
      return ["tasks", reference.id, reference.part, ...reference.path].join(".");
    case "item":
      return ["item", ...reference.path].join(".");
    case "index":
      return "index";
    case "run":
      return `run.${reference.part}`;
    default:
      return `${reference.root}.id`;
  }
}
