import { MAX_PROBLEMS, type YamlDocument, type YamlPath } from "@autokestra/config/yaml";
import { AutokestraError, type ErrorCode, parseSecretName, type Reference } from "@autokestra/secrets-core";
import { formatReference, quoteText, secretNotDeclared } from "@autokestra/secrets-core/internal";
import type { WorkflowProblem } from "./problem.ts";
import type { ReferenceUse } from "./references.ts";
import type { TaskGraph } from "./task-graph.ts";
import { allTasks, inputsOf, type PlacedTask, type Workflow } from "./workflow.ts";

/** Checks every name and every reference of a workflow, as far as no value is needed. */
export function checkReferences(
  workflow: Workflow,
  graph: TaskGraph,
  uses: readonly ReferenceUse[],
  document: YamlDocument,
): WorkflowProblem[] {
  const places = new Map(allTasks(workflow).map((placed) => [placed.task.id, placed]));
  return [
    ...workflow.secrets.flatMap((name, index) => problemOf(nameError(name), document, ["secrets", index])),
    ...[...places.values()].flatMap((placed) => narrowingProblems(workflow, placed, document)),
    ...webhookProblems(workflow, document),
    ...Object.entries(workflow.inputs).flatMap(([name, input]) => {
      const text = JSON.stringify(input.default) ?? "";
      if (!text.includes("{{")) return [];
      const error = new AutokestraError("REFERENCE_INVALID", "References are allowed only in the inputs of a task");
      return problemOf(error, document, ["inputs", name, "default"]);
    }),
    ...uses
      .flatMap((use) => {
        const error = useError({ workflow, graph, places }, use);
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

/** Finds secrets of a task that the workflow does not declare. */
function narrowingProblems(
  { secrets }: Workflow,
  { task, list, index }: PlacedTask,
  document: YamlDocument,
): WorkflowProblem[] {
  return (task.secrets ?? []).flatMap((name, at) => {
    const error = nameError(name) ?? (secrets.includes(name) ? null : secretNotDeclared(name));
    return problemOf(error, document, [list, index, "secrets", at]);
  });
}

function webhookProblems({ secrets, trigger }: Workflow, document: YamlDocument): WorkflowProblem[] {
  if (trigger?.type !== "webhook") return [];
  const error =
    nameError(trigger.secret) ?? (secrets.includes(trigger.secret) ? null : secretNotDeclared(trigger.secret));
  return problemOf(error, document, ["trigger", "secret"]);
}

interface Declarations {
  readonly workflow: Workflow;
  readonly graph: TaskGraph;
  /** All tasks, by id. */
  readonly places: ReadonlyMap<string, PlacedTask>;
}

function useError(declared: Declarations, use: ReferenceUse): AutokestraError | null {
  if ("problem" in use.result) return new AutokestraError("REFERENCE_INVALID", use.result.problem);
  const { reference } = use.result;
  if (use.place === "group" && reference.root !== "inputs" && reference.root !== "workflow") {
    return invalid(reference, "is not known before a run: a group uses inputs and workflow.id");
  }
  switch (reference.root) {
    case "secrets":
      return secretError(declared.workflow, use, reference);
    case "inputs":
      return inputError(declared.workflow, use, reference);
    case "tasks":
      return taskError(declared, use, reference);
    case "item":
    case "index":
      if (use.owner?.task.forEach !== undefined && use.place !== "forEach") return null;
      return invalid(reference, "stands only in the `inputs` and the `if` of a task with `forEach`");
    case "run":
      if (use.owner !== null && use.owner.list !== "tasks") return null;
      return invalid(reference, "is known only in `onFailure` and `finally`");
    default:
      return null;
  }
}

function secretError(
  { secrets }: Workflow,
  { place, owner }: ReferenceUse,
  reference: Reference & { root: "secrets" },
): AutokestraError | null {
  const { name } = reference;
  if (place === "if") return secretInCondition(reference);
  if (!secrets.includes(name)) return secretNotDeclared(name);
  if (owner?.task.secrets === undefined || owner.task.secrets.includes(name)) return null;
  const message = `Secret '${name}' is not among the \`secrets\` of task '${owner.task.id}'`;
  return new AutokestraError("SECRET_NOT_DECLARED", message, { hint: `Add ${name} to the \`secrets\` of the task.` });
}

function inputError(
  workflow: Workflow,
  { place }: ReferenceUse,
  reference: Reference & { root: "inputs" },
): AutokestraError | null {
  const inputs = inputsOf(workflow);
  if (!Object.hasOwn(inputs, reference.name)) return invalid(reference, "is not an input of this workflow");
  if (inputs[reference.name]?.secret !== true) return null;
  if (place === "if") return secretInCondition(reference);
  return place === "group" ? invalid(reference, "is secret, and the name of a group is shown") : null;
}

/** The error of a condition on a secret: anyone who sees which tasks ran would learn the value. */
export function secretInCondition(reference: Reference): AutokestraError {
  return invalid(reference, "is secret, and a condition would show its value");
}

function taskError(
  { workflow, graph, places }: Declarations,
  { owner }: ReferenceUse,
  reference: Reference & { root: "tasks" },
): AutokestraError | null {
  const { id } = reference;
  const target = places.get(id);
  if (target === undefined) return invalid(reference, "names no task");
  if (owner === null) return target.list === "tasks" ? null : invalid(reference, "is not known before the outputs are");
  const user = owner.task.id;
  if (owner.list === "tasks") {
    if (workflow.tasks.some((task) => task.id === id) && (graph.problems.length > 0 || graph.before(user).has(id))) {
      return null;
    }
    const hint = target.list === "tasks" ? `Add ${id} to its \`needs\`.` : undefined;
    return invalid(reference, `may not have run yet when '${user}' starts`, hint);
  }
  const isEarlier = target.list === owner.list ? target.index < owner.index : target.list !== "finally";
  return isEarlier ? null : invalid(reference, `has not run yet when '${user}' starts`);
}

function invalid(reference: Reference, what: string, hint?: string): AutokestraError {
  return new AutokestraError("REFERENCE_INVALID", `'${quoteText(formatReference(reference))}' ${what}`, { hint });
}

function problemOf(error: AutokestraError | null, document: YamlDocument, path: YamlPath): WorkflowProblem[] {
  return error === null ? [] : [toProblem(error, document.locate(path))];
}

function toProblem(
  error: { code: ErrorCode; message: string; hint: string | undefined },
  position: WorkflowProblem["position"],
): WorkflowProblem {
  return { code: error.code, message: error.message, hint: error.hint, position };
}
