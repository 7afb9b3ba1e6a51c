import { QUOTES } from "./check-yaml-nodes.ts";
import type { WorkflowProblem } from "./problem.ts";
import type { InputDeclaration, Workflow } from "./workflow.ts";
import type { YamlDocument } from "./yaml-document.ts";

/** Finds defaults of inputs that are not of the type that they stand for. */
export function checkDefaults({ inputs }: Workflow, document: YamlDocument): WorkflowProblem[] {
  return Object.entries(inputs).flatMap(([name, declaration]) => {
    if (fitsType(declaration)) return [];
    const message = `The default of input '${name}' must be a ${declaration.type}`;
    const position = document.locate(["inputs", name, "default"]);
    return [{ code: "INPUT_INVALID", message, hint: hintFor(declaration), position } satisfies WorkflowProblem];
  });
}

/** Whether an input has no default, or one of its type. */
function fitsType(declaration: InputDeclaration): boolean {
  const { type, default: value } = declaration;
  return !("default" in declaration) || type === "json" || typeof value === type;
}

function hintFor({ type, default: value }: InputDeclaration): string | undefined {
  if (type === "string") return QUOTES;
  return typeof value === "string" ? "Write it without quotes." : undefined;
}
