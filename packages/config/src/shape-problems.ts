import { quoteText } from "@autokestra/secrets-core/internal";
import type { z } from "zod";
import { didYouMean } from "./nearest-name.ts";
import { type FatalProblem, MAX_PROBLEMS } from "./problem.ts";
import { type CreateProblem, QUOTES, type YamlDocument, type YamlPath } from "./yaml-document.ts";

/** What the problems of a type of file need. */
export interface FileShape {
  /** The subject of messages, such as `The workflow`. */
  readonly subject: string;
  readonly invalid: CreateProblem;
  /** Returns the keys that the map at a path can have; none if it can have any. */
  readonly knownKeys: (path: YamlPath) => readonly string[];
}

/**
 * Converts the issues of a schema into problems. Unknown keys come first, because a mistyped key causes a missing one.
 */
export function shapeProblems(
  issues: readonly z.core.$ZodIssue[],
  document: YamlDocument,
  shape: FileShape,
): FatalProblem[] {
  const isUnknownKey = ({ code }: z.core.$ZodIssue) => code === "unrecognized_keys";
  const sorted = [...issues.filter(isUnknownKey), ...issues.filter((issue) => !isUnknownKey(issue))];
  return sorted.flatMap((issue) => shapeProblem(issue, document, shape));
}

function shapeProblem(issue: z.core.$ZodIssue, document: YamlDocument, shape: FileShape): FatalProblem[] {
  const { subject, invalid, knownKeys } = shape;
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key, index) => {
      // Without a position, because finding one takes long and these problems are counted but not shown.
      if (index >= MAX_PROBLEMS) return invalid(`Unknown key '${quoteText(key)}'`);
      const hint = didYouMean(key, knownKeys(path));
      return invalid(`Unknown key '${quoteText(key)}'${inside(path)}`, document.locate([...path, key]), hint);
    });
  }
  const where = path.length === 0 ? subject : `'${path.map((key) => quoteText(String(key))).join(".")}'`;
  return [invalid(`${where} ${describe(issue)}`, document.locate(path), hintOf(issue))];
}

/** Returns a hint about what the value could be. */
function hintOf(issue: z.core.$ZodIssue): string | undefined {
  const known = issue.code === "custom" ? issue.params?.["known"] : issue.code === "invalid_value" ? issue.values : [];
  if (typeof issue.input === "string" && Array.isArray(known) && known.length > 1) {
    return didYouMean(issue.input, known.map(String));
  }
  const isText = issue.code === "invalid_type" && issue.expected === "string";
  if (isText && /number|boolean/.test(typeof issue.input)) return QUOTES;
  const isSeconds = /seconds$/i.test(String(issue.path.at(-1))) && typeof issue.input === "string";
  return isSeconds ? "Write the number of seconds, without a unit and without quotes: 30." : undefined;
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be ${article(issue.expected)}`;
    case "invalid_value":
      return `must be ${issue.values.map(String).join(" or ")}`;
    case "too_small":
      if (issue.message.startsWith("needs")) return issue.message;
      return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_key":
      return "has a name with characters other than letters, digits, underscores and hyphens";
    default:
      return issue.message;
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  record: "a map",
  object: "a map",
  int: "a whole number",
};

function article(expected: string): string {
  return TYPE_NAMES[expected] ?? `a ${expected}`;
}

function inside(path: YamlPath): string {
  return path.length === 0 ? "" : ` in '${path.join(".")}'`;
}
