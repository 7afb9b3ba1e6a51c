import { formatReference } from "@autokestra/secrets-core";
import type { ParsedWorkflow } from "./parse-workflow.ts";
import type { Workflow } from "./workflow.ts";

/** A secret that a workflow needs: what the receiver has to create, never a value. */
export interface NeededSecret {
  readonly name: string;
  /** The type it has here, or null where it is not stored here. */
  readonly type: string | null;
  /** The fields that references name; empty where only the primary value is used. */
  readonly fields: readonly string[];
  /** Where it is used, as written: `secrets.DB.username`. */
  readonly references: readonly string[];
}

/** A workflow on its way to another installation. */
export interface WorkflowExport {
  readonly workflow: Workflow;
  readonly secrets: readonly NeededSecret[];
}

/**
 * The workflow with its references, and a manifest of the secrets it needs.
 *
 * @param types the types of the secrets stored here, by name
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
