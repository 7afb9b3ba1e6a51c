import { formatReference } from "@autokestra/secrets-core/internal";
import type { ParsedWorkflow } from "./parse-workflow.ts";
import type { Workflow } from "./workflow.ts";

/** A secret that a workflow needs and that the receiver has to create. It never contains a value. */
export interface NeededSecret {
  readonly name: string;
  /** The type of the stored secret; null if it is not stored here. */
  readonly type: string | null;
  /** The fields that references use; empty if they use only the primary value. */
  readonly fields: readonly string[];
  /** The references to it, as written: `secrets.DB.username`. */
  readonly references: readonly string[];
}

/** A workflow and the secrets it needs, to be moved to another machine. */
export interface WorkflowExport {
  readonly workflow: Workflow;
  readonly secrets: readonly NeededSecret[];
}

/**
 * Returns a workflow with its references, and a list of the secrets it needs. Use it to share a workflow without its
 * secrets.
 *
 * @param types the types of the stored secrets, by name
 */
export function exportWorkflow(parsed: ParsedWorkflow, types: ReadonlyMap<string, string>): WorkflowExport {
  const used = parsed.references.flatMap(({ result }) =>
    "reference" in result && result.reference.root === "secrets" ? [result.reference] : [],
  );
  const secrets = [...new Set(parsed.workflow.secrets)].map((name) => {
    const references = used.filter((reference) => reference.name === name);
    return {
      name,
      type: types.get(name) ?? null,
      fields: unique(references.flatMap(({ field }) => (field === null ? [] : [field]))),
      references: unique(references.map(formatReference)),
    };
  });
  return { workflow: parsed.workflow, secrets };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
