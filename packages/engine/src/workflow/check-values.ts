import { QUOTES, type RespelledValue, type YamlDocument, type YamlPath } from "@autokestra/config/yaml";
import type { Action } from "@autokestra/plugin-sdk";
import { inputProblem } from "./input-rules.ts";
import { invalidWorkflow, type WorkflowProblem } from "./problem.ts";
import type { ReferenceUse } from "./references.ts";
import { type InputDeclaration, taskAt, type Workflow } from "./workflow.ts";

/** Finds defaults of inputs that do not fit their declaration. */
export function checkDefaults({ inputs }: Workflow, document: YamlDocument): WorkflowProblem[] {
  return Object.entries(inputs).flatMap(([name, declaration]) => {
    const problem = "default" in declaration ? inputProblem(declaration, declaration.default) : null;
    if (problem === null) return [];
    const message = `The default of input '${name}' ${problem}`;
    const position = document.locate(["inputs", name, "default"]);
    return [{ code: "INPUT_INVALID", message, hint: hintFor(declaration), position } satisfies WorkflowProblem];
  });
}

function hintFor({ type, default: value }: InputDeclaration): string | undefined {
  if (typeof value === type) return undefined;
  if (type === "string") return QUOTES;
  return typeof value === "string" ? "Write it without quotes." : undefined;
}

/** A workflow after its file was read. */
interface ReadWorkflow {
  readonly workflow: Workflow;
  readonly references: readonly ReferenceUse[];
  readonly respelled: readonly RespelledValue[];
}

/** Finds numbers that cannot be kept: with too many digits, infinite, or not a number. */
export function lostNumbers(respelled: readonly RespelledValue[]): WorkflowProblem[] {
  return respelled
    .filter(({ keepsValue }) => !keepsValue)
    .map(({ position }) => invalidWorkflow("This number cannot be kept with all its digits", position, QUOTES));
}

/** Finds numbers in the file that become text and would change: `01234` as a header would be `1234`. */
export function respelledNumbers(parsed: ReadWorkflow, actions: ReadonlyMap<string, Action>): WorkflowProblem[] {
  const inputs = inputsAsText(parsed, actions);
  return parsed.respelled.flatMap(({ path, position }) => {
    const [root, first, key] = path;
    const isDefault = root === "inputs" && key === "default" && typeof first === "string" && inputs.has(first);
    if (!isDefault && !becomesText(parsed, actions, path)) return [];
    return [invalidWorkflow("This value becomes text, where it would read differently", position, QUOTES)];
  });
}

/**
 * Finds the inputs of the workflow that become text: inside longer text, or where an action turns a number into text.
 */
export function inputsAsText(
  parsed: ReadWorkflow,
  actions: ReadonlyMap<string, Action>,
): ReadonlyMap<string, ReferenceUse> {
  const found = new Map<string, ReferenceUse>();
  for (const use of parsed.references) {
    const { result, whole, path } = use;
    if (!("reference" in result) || result.reference.root !== "inputs") continue;
    if (use.place !== "inputs") continue;
    if (!whole || becomesText(parsed, actions, path)) found.set(result.reference.name, use);
  }
  return found;
}

/** True for a place in the inputs of a task that its action turns into text. */
function becomesText({ workflow }: ReadWorkflow, actions: ReadonlyMap<string, Action>, path: YamlPath): boolean {
  const task = path[2] === "inputs" ? taskAt(workflow, path) : undefined;
  if (task === undefined) return false;
  const { textInputs = [] } = actions.get(task.type) ?? {};
  const names = typeof textInputs === "function" ? textInputs(task.inputs) : textInputs;
  return names.some((one) => one === path[3]);
}
