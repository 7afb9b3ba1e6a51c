import { AutokestraError } from "@autokestra/secrets-core";
import { parseTemplates, resolveTemplates } from "@autokestra/secrets-resolver";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { ConcurrencyGroup } from "../workflow/workflow.ts";
import { readInputs } from "./inputs.ts";
import { lookupPlain } from "./values.ts";

/** What is known of a run before it starts. */
export interface AdmittedRun {
  /** The inputs with their types, and with defaults. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The group with its references resolved; null for a workflow without one. */
  readonly group: ConcurrencyGroup | null;
}

/**
 * Checks the inputs of a new run. Call it before the run is queued, to refuse it immediately.
 *
 * @param given the texts of inputs, by name. Default: none
 * @throws AutokestraError `WORKFLOW_DISABLED`, `INPUT_INVALID`
 * @example
 * ```ts
 * import { admitRun, parseWorkflow } from "@autokestra/engine";
 *
 * const workflow = parseWorkflow(
 *   `{ apiVersion: v1, id: demo, inputs: { target: { type: string } },
 *      concurrency: { group: "deploy-{{ inputs.target }}", busy: queue },
 *      tasks: [{ id: say, type: core/console.log, inputs: { message: hello } }] }`,
 *   "demo.yaml",
 * );
 * console.log((await admitRun(workflow, { target: "eu" })).group?.group); // deploy-eu
 * ```
 */
export async function admitRun(
  { workflow }: ParsedWorkflow,
  given: Readonly<Record<string, string>> = {},
): Promise<AdmittedRun> {
  if (!workflow.enabled) {
    throw new AutokestraError("WORKFLOW_DISABLED", `Workflow '${workflow.id}' is disabled`, {
      hint: "Set `enabled: true` in its file.",
    });
  }
  const inputs = readInputs(workflow, given);
  const { concurrency } = workflow;
  if (concurrency === undefined) return { inputs, group: null };
  const values = { inputs, tasks: new Map(), execution: { id: "", workflow: workflow.id } };
  const group = await resolveTemplates(parseTemplates(concurrency.group), async (reference, isOptional) =>
    lookupPlain(reference, values, isOptional),
  );
  return { inputs, group: { ...concurrency, group: String(group) } };
}
