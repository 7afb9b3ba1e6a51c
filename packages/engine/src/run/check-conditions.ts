import type { Action } from "@autokestra/plugin-sdk";
import type { Reference } from "@autokestra/secrets-core";
import { wholeReference } from "@autokestra/secrets-resolver";
import { secretInCondition } from "../workflow/check-references.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { WorkflowProblem } from "../workflow/problem.ts";
import type { ReferenceUse } from "../workflow/references.ts";
import { allTasks, EVERY, type Task } from "../workflow/workflow.ts";

/** Finds conditions on what is secret in the outputs of tasks: whoever sees the branch would see the value. */
export function checkConditions(parsed: ParsedWorkflow, actions: ReadonlyMap<string, Action>): WorkflowProblem[] {
  const tasks = new Map(allTasks(parsed.workflow).map(({ task }) => [task.id, task]));
  const isSecret = (reference: Reference, user: Task | undefined): boolean => {
    if (reference.root === "secrets") return true;
    if (reference.root === "inputs") return parsed.workflow.inputs[reference.name]?.secret === true;
    if (reference.root === "item") return user !== undefined && hasSecretItems(user, reference.path);
    if (reference.root !== "tasks" || reference.part !== "output") return false;
    return isSecretOutput(tasks.get(reference.id), reference.path, actions);
  };

  /** The items of a `forEach` are as secret as what they come from. */
  function hasSecretItems(user: Task, path: readonly string[]): boolean {
    const items = parsed.tasks.get(user.id)?.items ?? null;
    const whole = items?.kind === "template" ? wholeReference(items.template) : null;
    if (whole !== null) {
      return isSecret("path" in whole ? { ...whole, path: [...whole.path, EVERY, ...path] } : whole, undefined);
    }
    return parsed.references.some(
      ({ owner, place, result }) =>
        owner?.task === user && place === "forEach" && "reference" in result && isSecret(result.reference, undefined),
    );
  }

  return parsed.references.flatMap(({ place, owner, path, result, mark }: ReferenceUse) => {
    if (place !== "if" || !("reference" in result)) return [];
    const { reference } = result;
    // Secrets and secret inputs were found with the references.
    if (reference.root === "secrets" || reference.root === "inputs" || !isSecret(reference, owner?.task)) return [];
    return [parsed.problemAt(path, secretInCondition(reference), mark)];
  });
}

function isSecretOutput(
  task: Task | undefined,
  path: readonly string[],
  actions: ReadonlyMap<string, Action>,
): boolean {
  if (task === undefined) return false;
  const action = actions.get(task.type);
  const isInside = task.forEach === undefined ? path : path.slice(1);
  const secret = [...(task.secretOutputs ?? []), ...(action?.secretOutputs ?? [])];
  return secret.some((one) => overlaps(one.split("."), isInside)) || action?.isSecretOutput?.(isInside) === true;
}

/** True if one path leads to, into or around the other. */
function overlaps(one: readonly string[], other: readonly string[]): boolean {
  return one.every((key, at) => at >= other.length || key === EVERY || other[at] === EVERY || key === other[at]);
}
