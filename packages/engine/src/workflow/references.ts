import type { Mark, YamlDocument, YamlPath } from "@autokestra/config/yaml";
import { MAX_PROBLEMS } from "@autokestra/config/yaml";
import {
  AutokestraError,
  type ErrorCode,
  parseSecretName,
  type Reference,
  type Template,
} from "@autokestra/secrets-core";
import { formatReference, secretNotDeclared } from "@autokestra/secrets-core/internal";
import { type TemplateTree, wholeReference } from "@autokestra/secrets-resolver";
import type { WorkflowProblem } from "./problem.ts";
import type { TaskGraph } from "./task-graph.ts";
import type { Workflow } from "./workflow.ts";

/** A `{{ … }}` in the inputs of a task: a reference, or an invalid one. */
export interface ReferenceUse {
  readonly task: string;
  readonly path: YamlPath;
  readonly result: { readonly reference: Reference } | { readonly problem: string };
  /** Whether the reference is the whole string, so that its value keeps its type. */
  readonly whole: boolean;
  readonly mark: Mark;
}

/** Finds every reference in the inputs of a task. */
export function findReferences(task: string, tree: TemplateTree, path: YamlPath): ReferenceUse[] {
  switch (tree.kind) {
    case "template":
      return inTemplate(task, tree.template, path);
    case "list":
      return tree.items.flatMap((item, index) => findReferences(task, item, [...path, index]));
    case "object":
      return tree.entries.flatMap(([key, item]) => findReferences(task, item, [...path, key]));
    default:
      return [];
  }
}

function inTemplate(task: string, template: Template, path: YamlPath): ReferenceUse[] {
  const { source: text, parts, problems } = template;
  const references = parts.filter((part) => part.kind === "reference");
  const whole = wholeReference(template) !== null;
  const all = [
    ...references.map(({ start, end, reference }) => ({ start, end, result: { reference } })),
    ...problems.map(({ start, end, message }) => ({ start, end, result: { problem: message } })),
  ].sort((a, b) => a.start - b.start);
  const marks = offsets(text);
  return all.map(({ start, end, result }) => {
    return { task, path, result, whole, mark: { nth: marks.get(start) ?? 0, of: marks.size, length: end - start } };
  });
}

/** The offset of each `{{`, and its number from 0. */
function offsets(text: string): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = text.indexOf("{{"); at !== -1; at = text.indexOf("{{", at + 2)) found.set(at, found.size);
  return found;
}

/** Checks every name and every reference of a workflow, as far as no value is needed. */
export function checkReferences(
  workflow: Workflow,
  graph: TaskGraph,
  references: readonly ReferenceUse[],
  document: YamlDocument,
): WorkflowProblem[] {
  return [
    ...workflow.secrets.flatMap((name, index) => {
      const error = nameError(name);
      return error === null ? [] : [toProblem(error, document.locate(["secrets", index]))];
    }),
    ...Object.entries(workflow.inputs).flatMap(([name, input]) => {
      const text = JSON.stringify(input.default) ?? "";
      if (!text.includes("{{")) return [];
      const error = new AutokestraError("REFERENCE_INVALID", "References are allowed only in the inputs of a task");
      return [toProblem(error, document.locate(["inputs", name, "default"]))];
    }),
    ...references
      .flatMap((use) => {
        const error = useError(workflow, graph, use);
        return error === null ? [] : [{ error, use }];
      })
      // Finding a place takes longer than finding a problem, and no more than these are shown.
      .map(({ error, use: { path, mark } }, index) =>
        toProblem(error, index < MAX_PROBLEMS ? document.locate(path, mark) : undefined),
      ),
  ];
}

function nameError(name: string): AutokestraError | null {
  try {
    parseSecretName(name);
    return null;
  } catch (error) {
    if (error instanceof AutokestraError) return error;
    throw error;
  }
}

function useError(workflow: Workflow, graph: TaskGraph, { task, result }: ReferenceUse): AutokestraError | null {
  if ("problem" in result) return new AutokestraError("REFERENCE_INVALID", result.problem);
  const { reference } = result;
  switch (reference.root) {
    case "secrets":
      return workflow.secrets.includes(reference.name) ? null : secretNotDeclared(reference.name);
    case "inputs":
      return Object.hasOwn(workflow.inputs, reference.name)
        ? null
        : unknown(reference, "is not an input of this workflow");
    case "tasks":
      if (!workflow.tasks.some(({ id }) => id === reference.id)) return unknown(reference, "names no task");
      if (graph.problems.length > 0 || graph.before(task).has(reference.id)) return null;
      return unknown(reference, `may not have run yet when '${task}' starts`, `Add ${reference.id} to its \`needs\`.`);
    default:
      return null;
  }
}

function unknown(reference: Reference, what: string, hint?: string): AutokestraError {
  return new AutokestraError("REFERENCE_INVALID", `'${formatReference(reference)}' ${what}`, { hint });
}

function toProblem(
  error: { code: ErrorCode; message: string; hint: string | undefined },
  position: WorkflowProblem["position"],
): WorkflowProblem {
  return { code: error.code, message: error.message, hint: error.hint, position };
}
