import type { YamlDocument } from "@autokestra/config/yaml";
import { wholeReference } from "@autokestra/secrets-resolver";
import { invalidWorkflow, type WorkflowProblem } from "./problem.ts";
import type { ParsedTask } from "./references.ts";
import { allTasks, type PlacedTask, type Workflow } from "./workflow.ts";

/** Checks what the flow of a workflow needs besides its graph: unique ids, lists to go through. */
export function checkFlow(
  workflow: Workflow,
  tasks: ReadonlyMap<string, ParsedTask>,
  document: YamlDocument,
): WorkflowProblem[] {
  const known = new Set(workflow.tasks.map(({ id }) => id));
  return allTasks(workflow).flatMap((placed) => {
    const { task, list, index } = placed;
    const found = forEachProblems(placed, tasks.get(task.id), document);
    // The ids of `tasks` are checked with their graph.
    if (list === "tasks") return found;
    const isTaken = known.has(task.id);
    known.add(task.id);
    if (!isTaken) return found;
    return [invalidWorkflow(`Task id '${task.id}' is used twice`, document.locate([list, index])), ...found];
  });
}

function forEachProblems(
  { task, list, index }: PlacedTask,
  parsed: ParsedTask | undefined,
  document: YamlDocument,
): WorkflowProblem[] {
  const items = task.forEach === undefined ? null : (parsed?.items ?? null);
  if (items === null) {
    if (task.concurrency === undefined) return [];
    const message = `Task '${task.id}' has \`concurrency\` without \`forEach\``;
    const hint = "It limits how many items of a `forEach` run at a time.";
    return [invalidWorkflow(message, document.locate([list, index, "concurrency"]), hint)];
  }
  if (items.kind === "list") return [];
  const isReference = items.kind === "template" && wholeReference(items.template) !== null;
  // A malformed reference is a problem of its own.
  if (isReference || (items.kind === "template" && items.template.problems.length > 0)) return [];
  const message = `The \`forEach\` of task '${task.id}' must be a list, or one reference and nothing else`;
  return [invalidWorkflow(message, document.locate([list, index, "forEach"]), 'As in "{{ tasks.ID.output.items }}".')];
}
