import type { Action } from "@autokestra/plugin-sdk";
import { AutokestraError, type Reference } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";
import { wholeReference } from "@autokestra/secrets-resolver";
import { secretInCondition } from "../workflow/check-references.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { WorkflowProblem } from "../workflow/problem.ts";
import type { ReferenceUse } from "../workflow/references.ts";
import { allTasks, EVERY, type Task } from "../workflow/workflow.ts";

/**
 * Finds what must not be in its place: a secret in a condition, because anyone who sees the branch sees the value; a
 * secret in an input that others can see, such as the arguments of a program; a reference where none may be.
 */
export function checkSecretPlaces(parsed: ParsedWorkflow, actions: ReadonlyMap<string, Action>): WorkflowProblem[] {
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

  function problemOf({ place, owner, path, result }: ReferenceUse): AutokestraError | null {
    if (!("reference" in result)) return null;
    const { reference } = result;
    if (place === "if") {
      // Secrets and secret inputs were found with the references.
      if (reference.root === "secrets" || reference.root === "inputs") return null;
      return isSecret(reference, owner?.task) ? secretInCondition(reference) : null;
    }
    const action = place === "inputs" && owner !== null ? actions.get(owner.task.type) : undefined;
    const key = String(path[3]);
    if (action?.literalInputs?.includes(key)) return notLiteral(key);
    const isShown = action?.shownInputs?.includes(key) === true && isSecret(reference, owner?.task);
    return isShown ? secretShown(reference, key) : null;
  }

  return parsed.references.flatMap((use) => {
    const error = problemOf(use);
    return error === null ? [] : [parsed.problemAt(use.path, error, use.mark)];
  });
}

function notLiteral(key: string): AutokestraError {
  return new AutokestraError("REFERENCE_INVALID", `'${key}' must be literal, without references`, {
    hint: "Pass the value in another input, such as a variable of `env`.",
  });
}

function secretShown(reference: Reference, key: string): AutokestraError {
  const message = `'${formatReference(reference)}' is secret, and others on the machine can see '${key}'`;
  return new AutokestraError("REFERENCE_INVALID", message, { hint: "Give it in `env` or `stdin`." });
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
