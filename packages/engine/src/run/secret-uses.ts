import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { CalledWorkflows } from "./called-workflows.ts";

/** Where secrets are used, by their name: `headers.Authorization`. */
export type SecretPaths = ReadonlyMap<string, readonly string[]>;

/** Where a workflow uses its secrets. */
export interface SecretUses {
  /** By the id of the task: in its inputs, or in the outputs of the workflow that it calls. */
  readonly tasks: ReadonlyMap<string, SecretPaths>;
  /** By the id of the task, in its `forEach`. */
  readonly items: ReadonlyMap<string, SecretPaths>;
  /** In the outputs of the workflow. */
  readonly outputs: SecretPaths;
}

/** Finds where a workflow uses its secrets, for those who look back at a run. */
export function findSecretUses({ references }: ParsedWorkflow, calls: CalledWorkflows): SecretUses {
  const tasks = new Map<string, Map<string, string[]>>();
  const items = new Map<string, Map<string, string[]>>();
  for (const { result, place, owner, path } of references) {
    if (!("reference" in result) || result.reference.root !== "secrets") continue;
    const { name } = result.reference;
    if (owner !== null && place === "inputs") add(entryOf(tasks, owner.task.id), name, path.slice(3));
    else if (owner !== null) add(entryOf(items, owner.task.id), name, path.slice(2));
  }
  for (const [id, { parsed }] of calls) {
    for (const [name, paths] of usesInOutputs(parsed.references)) {
      for (const path of paths) add(entryOf(tasks, id), name, [path]);
    }
  }
  return { tasks, items, outputs: usesInOutputs(references) };
}

function usesInOutputs(references: ParsedWorkflow["references"]): SecretPaths {
  const outputs = new Map<string, string[]>();
  for (const { result, place, path } of references) {
    if (place !== "outputs" || !("reference" in result) || result.reference.root !== "secrets") continue;
    add(outputs, result.reference.name, path);
  }
  return outputs;
}

function entryOf(uses: Map<string, Map<string, string[]>>, id: string): Map<string, string[]> {
  const entry = uses.get(id) ?? new Map<string, string[]>();
  uses.set(id, entry);
  return entry;
}

function add(paths: Map<string, string[]>, name: string, path: readonly (string | number)[]): void {
  const known = paths.get(name) ?? [];
  const text = path.join(".");
  if (!known.includes(text)) known.push(text);
  paths.set(name, known);
}
