import type { z } from "zod";

type Issue = z.core.$ZodIssue;

const SHOWN_ISSUES = 10;
const SHOWN_KEY_LENGTH = 80;

const TYPE_NAMES: ReadonlyMap<string, string> = new Map([
  ["int", "integer"],
  ["record", "object"],
  ["tuple", "array"],
  ["nonoptional", "a value"],
  ["never", "nothing"],
]);

const UNITS: ReadonlyMap<string, string> = new Map([
  ["string", " characters"],
  ["array", " items"],
  ["set", " items"],
  ["map", " entries"],
]);

/**
 * Describes what is wrong with a value without quoting it: the path of each issue and what the schema expects there.
 * Use it where a plugin's input is checked before the action runs; {@link invokeAction} uses it for its errors.
 *
 * The messages of the issues are not used, whether they come from zod or from the author of the schema, because they
 * can quote the value. An author says what a rule expects with `params: { expected: "…" }`.
 *
 * @param issues the issues of a `ZodError`; the first 10 different ones are described, the others are counted
 * @example
 * ```ts
 * import { describeIssues, z } from "@autokestra/plugin-sdk";
 *
 * const { error } = z.strictObject({ times: z.int().min(1) }).safeParse({ times: 0, nmae: "Ada" });
 * console.log(describeIssues(error?.issues ?? [])); // times: expected at least 1; unknown key 'nmae'
 * ```
 */
export function describeIssues(issues: readonly Issue[]): string {
  const lines = [...new Set(issues.map(describeIssue))];
  const more = lines.length > SHOWN_ISSUES ? [`and ${lines.length - SHOWN_ISSUES} more`] : [];
  return [...lines.slice(0, SHOWN_ISSUES), ...more].join("; ");
}

function describeIssue(issue: Issue): string {
  const problem =
    issue.code === "unrecognized_keys" ? `unknown key ${quoteKeys(issue.keys)}` : `expected ${expectation(issue)}`;
  return withPath(issue, problem);
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return TYPE_NAMES.get(issue.expected) ?? issue.expected;
    case "invalid_value":
      return oneOf(issue.values);
    case "invalid_format":
      return describeFormat(issue);
    case "too_small":
      return bound(issue.exact ? "exactly" : issue.inclusive ? "at least" : "more than", issue.minimum, issue.origin);
    case "too_big":
      return bound(issue.exact ? "exactly" : issue.inclusive ? "at most" : "less than", issue.maximum, issue.origin);
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "unrecognized_keys":
      return `no key ${quoteKeys(issue.keys)}`;
    case "invalid_union":
      return describeUnion(issue);
    case "invalid_key":
      return `another key (${expectations(issue.issues)})`;
    case "invalid_element":
      return `other elements (${expectations(issue.issues)})`;
    default:
      return typeof issue.params?.["expected"] === "string" ? issue.params["expected"] : "another value";
  }
}

function describeFormat(issue: z.core.$ZodIssueInvalidStringFormat): string {
  // The formats of zod have properties that the base type does not declare.
  const { format, ...details } = issue as z.core.$ZodStringFormatIssues;
  if ("prefix" in details) return `text that starts with ${details.prefix}`;
  if ("suffix" in details) return `text that ends with ${details.suffix}`;
  if ("includes" in details) return `text that includes ${details.includes}`;
  return format === "regex" ? `text like ${details.pattern}` : `text of the form ${format}`;
}

function describeUnion(issue: Issue & { code: "invalid_union" }): string {
  if ("options" in issue && issue.options !== undefined) return oneOf(issue.options);
  const branches = new Set(issue.errors.map(expectations));
  return branches.size > 0 ? [...branches].join(" or ") : "a value that fits exactly one form";
}

/**
 * Describes issues inside a union or a key, without the word "expected". A union in a union is not described further:
 * the schema of any JSON value nests them as deep as the value goes.
 */
function expectations(issues: readonly Issue[]): string {
  return issues
    .slice(0, SHOWN_ISSUES)
    .map((issue) => withPath(issue, issue.code === "invalid_union" ? "another value" : expectation(issue)))
    .join(" and ");
}

function bound(relation: string, limit: number | bigint, origin: string): string {
  return `${relation} ${limit}${UNITS.get(origin) ?? ""}`;
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(", ")}`;
}

function withPath(issue: Issue, problem: string): string {
  if (issue.path.length === 0) return problem;
  const path = issue.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${printable(String(key))}`)).join("");
  return `${path.replace(/^\./, "")}: ${problem}`;
}

function quoteKeys(keys: readonly string[]): string {
  return keys
    .slice(0, SHOWN_ISSUES)
    .map((key) => `'${printable(key)}'`)
    .join(", ");
}

/** Leaves a long key out as a whole: a masker looks for whole secrets and would not find half of one. */
function printable(key: string): string {
  if (key.length > SHOWN_KEY_LENGTH) return "…";
  return key.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
