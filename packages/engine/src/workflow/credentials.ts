import type { YamlPath } from "@autokestra/config/yaml";
import { parseTemplate } from "@autokestra/secrets-core";
import { findTokens, type TextSpan } from "@autokestra/secrets-core/internal";
import type { ParsedWorkflow } from "./parse-workflow.ts";
import { allTasks, type Task, taskAt } from "./workflow.ts";

/** A string of a workflow, and its path. */
export interface FoundText {
  readonly text: string;
  readonly path: YamlPath;
}

/** A text with credentials in it. */
export interface InlineCredentials extends FoundText {
  /** At least one. They do not overlap, and are in the order of the text. */
  readonly spans: readonly TextSpan[];
}

/** Tells whether the action of a task marks the input at a path as secret. */
export type IsSecretInput = (task: Task, path: YamlPath) => boolean;

/** Finds what looks like a credential in a workflow: in the inputs of tasks and in defaults. */
export function findInlineCredentials(parsed: ParsedWorkflow, isSecretInput: IsSecretInput): InlineCredentials[] {
  const defaults = Object.entries(parsed.workflow.inputs).flatMap(([name, input]) =>
    textsIn(input.default, ["inputs", name, "default"]),
  );
  return [...taskTexts(parsed), ...defaults].flatMap(({ text, path }) => {
    const task = path[2] === "inputs" ? taskAt(parsed.workflow, path) : undefined;
    const isMarked = task !== undefined && isSecretInput(task, path.slice(3));
    const spans = findCredentials(text, lastKey(path), isMarked);
    return spans.length === 0 ? [] : [{ text, path, spans }];
  });
}

/** Every text in the inputs and lists of the tasks. */
export function taskTexts({ workflow }: ParsedWorkflow): FoundText[] {
  return allTasks(workflow).flatMap(({ task, list, index }) => [
    ...textsIn(task.inputs, [list, index, "inputs"]),
    ...textsIn(task.forEach, [list, index, "forEach"]),
  ]);
}

function textsIn(value: unknown, path: YamlPath): FoundText[] {
  if (typeof value === "string") return [{ text: value, path }];
  if (value === null || typeof value !== "object") return [];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.flatMap(([key, item]) => textsIn(item, [...path, key]));
}

/** The last key of a path that is a word. */
export function lastKey(path: YamlPath): string {
  return path.findLast((part) => typeof part === "string") ?? "";
}

/** Names the place of a text for people: `'auth.bearer' of task 'fetch'`. */
export function placeOf({ workflow }: ParsedWorkflow, path: YamlPath): string {
  const task = taskAt(workflow, path);
  if (task === undefined) return `'${path.join(".")}'`;
  return `'${path.slice(path[2] === "inputs" ? 3 : 2).join(".")}' of task '${task.id}'`;
}

const TELLING_KEY =
  /passw|pwd|passphrase|secret|token|api.?key|access.?key|private.?key|credential|authorization|bearer/i;
const PASSWORD_IN_URL = /(?<=:\/\/[^/\s:@]*:)[^/\s@]+(?=@)/g;
const MIN_CREDENTIAL = 16;
/** In bits per character. Words have less. */
const MIN_ENTROPY = 3.5;

/**
 * Finds what looks like a credential in a text, outside of references.
 *
 * @param key the key of the text
 * @param isMarked whether the action marks it as secret
 */
function findCredentials(text: string, key: string, isMarked: boolean): readonly TextSpan[] {
  const literal = withoutReferences(text);
  if (isMarked && literal === text && text !== "") return [{ start: 0, end: text.length }];
  const words = TELLING_KEY.test(key) ? spansOf(literal, /\S+/g) : [];
  const found = [
    ...findTokens(literal),
    ...spansOf(literal, PASSWORD_IN_URL),
    ...words.filter(({ start, end }) => isRandom(literal.slice(start, end))),
  ];
  return withoutOverlaps(found);
}

/** Replaces references by spaces, so that all other text keeps its place. */
function withoutReferences(text: string): string {
  return parseTemplate(text).parts.reduce(
    (rest, part) =>
      part.kind === "text"
        ? rest
        : rest.slice(0, part.start) + " ".repeat(part.end - part.start) + rest.slice(part.end),
    text,
  );
}

function spansOf(text: string, pattern: RegExp): TextSpan[] {
  return [...text.matchAll(pattern)].map(({ 0: found, index }) => ({ start: index, end: index + found.length }));
}

/** Keeps the first of overlapping findings: the more exact ones come first. */
function withoutOverlaps(spans: readonly TextSpan[]): TextSpan[] {
  const overlap = (a: TextSpan, b: TextSpan) => a.start < b.end && b.start < a.end;
  return spans
    .filter((span, index) => !spans.slice(0, index).some((other) => overlap(span, other)))
    .sort((a, b) => a.start - b.start);
}

/** True for a word of digits and letters that is as random as a key. */
function isRandom(word: string): boolean {
  if (word.length < MIN_CREDENTIAL || !/\d/.test(word) || !/[A-Za-z]/.test(word)) return false;
  const shares = [...new Set(word)].map((character) => (word.split(character).length - 1) / word.length);
  return -shares.reduce((sum, share) => sum + share * Math.log2(share), 0) >= MIN_ENTROPY;
}
