import { parseTemplate, type Reference } from "@autokestra/secrets-core";
import type { Mark, YamlPath } from "./yaml-document.ts";

/** A `{{ … }}` in the inputs of a task: a reference, or text that is none. */
export interface Occurrence {
  readonly task: string;
  readonly path: YamlPath;
  readonly result: { readonly reference: Reference } | { readonly problem: string };
  /** The reference is the whole string, so that it keeps its type. */
  readonly whole: boolean;
  readonly mark: Mark;
}

/** Finds every reference in a value. */
export function findReferences(task: string, value: unknown, path: YamlPath): Occurrence[] {
  if (typeof value === "string") return inString(task, value, path);
  if (value === null || typeof value !== "object") return [];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return entries.flatMap(([key, item]) => findReferences(task, item, [...path, key]));
}

function inString(task: string, text: string, path: YamlPath): Occurrence[] {
  const { parts, problems } = parseTemplate(text);
  const references = parts.filter((part) => part.kind === "reference");
  const whole = parts.length === 1 && problems.length === 0;
  const all = [
    ...references.map(({ start, end, reference }) => ({ start, end, result: { reference } })),
    ...problems.map(({ start, end, message }) => ({ start, end, result: { problem: message } })),
  ].sort((a, b) => a.start - b.start);
  const marks = offsets(text);
  return all.map(({ start, end, result }) => {
    return { task, path, result, whole, mark: { nth: marks.get(start) ?? 0, of: marks.size, length: end - start } };
  });
}

/** Where each `{{` stands, and the how many-th it is. */
function offsets(text: string): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = text.indexOf("{{"); at !== -1; at = text.indexOf("{{", at + 2)) found.set(at, found.size);
  return found;
}
