import type { ActionContext } from "@autokestra/plugin-sdk";
import type { TaskEnd } from "@autokestra/runs";
import { AutokestraError, type Reference, type SecretScope } from "@autokestra/secrets-core";
import { formatReference } from "@autokestra/secrets-core/internal";

/** What other tasks can know of a task that has ended. */
export interface TaskValues {
  readonly status: TaskEnd;
  /** JSON data, not masked; null if it has none. */
  readonly output: unknown;
  /** Masked; null if the task has not failed. */
  readonly error: { readonly code: string; readonly message: string; readonly status?: number } | null;
}

/** What tasks of `onFailure` and `finally` know of their run. */
export interface RunState {
  readonly status: "success" | "failed" | "cancelled";
  /** Null if no task has failed. */
  readonly failedTask: string | null;
  /** The message of the failure, masked; null if nothing has failed. */
  readonly error: string | null;
}

/** The values of all references except secrets. */
export interface RunValues {
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The tasks that have ended, by id. */
  readonly tasks: ReadonlyMap<string, TaskValues>;
  readonly execution: ActionContext["execution"];
  /** Only in `onFailure` and `finally`. */
  readonly run?: RunState;
  /** Only in a `forEach`. */
  readonly current?: { readonly item: unknown; readonly index: number };
}

/** How a task that has not run appears to references. */
const NOT_RUN: TaskValues = { status: "skipped", output: null, error: null };

/**
 * Returns the value of a reference.
 *
 * @param isOptional whether a key that is not there is null instead of an error
 * @throws AutokestraError `REFERENCE_INVALID`, and what `scope` throws
 */
export async function lookup(
  reference: Reference,
  values: RunValues,
  scope: Pick<SecretScope, "lookup">,
  isOptional: boolean,
): Promise<unknown> {
  return reference.root === "secrets" ? await scope.lookup(reference) : lookupPlain(reference, values, isOptional);
}

/** The same for references that cannot be to a secret. */
export function lookupPlain(reference: Reference, values: RunValues, isOptional: boolean): unknown {
  switch (reference.root) {
    case "inputs":
      return walk(reference, values.inputs[reference.name], reference.path, isOptional);
    case "tasks": {
      const task = values.tasks.get(reference.id) ?? NOT_RUN;
      return walk(reference, task[reference.part], reference.path, isOptional);
    }
    case "item":
      return walk(reference, values.current?.item, reference.path, isOptional);
    case "index":
      return values.current?.index;
    case "run":
      return values.run?.[reference.part];
    case "execution":
      return values.execution.id;
    case "workflow":
      return values.execution.workflow;
    default:
      throw new TypeError("The workflow was not checked");
  }
}

/** Follows a path into a value, through own properties only, because the value is data. */
function walk(reference: Reference, start: unknown, path: readonly string[], isOptional: boolean): unknown {
  let value = start;
  for (const key of path) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, key)) {
      if (isOptional) return null;
      // The keys that are there are not named: they are data, and hints are not masked.
      throw new AutokestraError("REFERENCE_INVALID", `'${formatReference(reference)}': there is no '${key}'`);
    }
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
