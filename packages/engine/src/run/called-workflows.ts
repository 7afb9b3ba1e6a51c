import { realpath } from "node:fs/promises";
import { basename, isAbsolute, join, resolve } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { hasReference } from "@autokestra/secrets-resolver";
import { inputProblem } from "../workflow/input-rules.ts";
import { type ParsedWorkflow, readFileWorkflow } from "../workflow/parse-workflow.ts";
import { invalidWorkflow, type WorkflowProblem } from "../workflow/problem.ts";
import { allTasks, inputsOf, type PlacedTask, WORKFLOW_CALL } from "../workflow/workflow.ts";

/** A workflow that another one calls. */
interface CalledWorkflow {
  readonly parsed: ParsedWorkflow;
  readonly calls: CalledWorkflows;
  /** How many levels of workflows it calls. */
  readonly depth: number;
}

/** By the id of the task that calls it. */
export type CalledWorkflows = ReadonlyMap<string, CalledWorkflow>;

/** The texts of a workflow and of all that it calls, by their paths; its own first. */
export function textsOf(parsed: ParsedWorkflow, calls: CalledWorkflows): Record<string, string> {
  return Object.fromEntries([parsed, ...allCalled(calls)].map(({ path, source }) => [resolve(path), source]));
}

/** All workflows that are called, also by each other, each once. */
export function allCalled(calls: CalledWorkflows, found: Set<ParsedWorkflow> = new Set()): Set<ParsedWorkflow> {
  for (const call of calls.values()) {
    if (found.has(call.parsed)) continue;
    found.add(call.parsed);
    allCalled(call.calls, found);
  }
  return found;
}

const MAX_DEPTH = 10;

/** The called workflows, and what is wrong with the calls. */
export interface LoadedCalls {
  readonly calls: CalledWorkflows;
  readonly problems: readonly WorkflowProblem[];
}

/**
 * Reads all workflows that a workflow calls, and those that they call. They are known before anything runs, so the file
 * of a call must be written out.
 */
export async function loadCalls(parsed: ParsedWorkflow): Promise<LoadedCalls> {
  const files = new Map<string, LoadedFile>();
  const self = parsed.folder === null ? [] : [await realPath(resolve(parsed.path))];
  return await loadFrom(parsed, self, files);
}

interface LoadedFile extends LoadedCalls {
  readonly parsed: ParsedWorkflow;
}

/**
 * One call after the other, so that a file is known as a whole, or is one of the callers.
 *
 * @param callers the paths of the files from the first one to this one
 */
async function loadFrom(
  parsed: ParsedWorkflow,
  callers: readonly string[],
  files: Map<string, LoadedFile>,
): Promise<LoadedCalls> {
  const calls = new Map<string, CalledWorkflow>();
  const problems: WorkflowProblem[] = [];
  for (const placed of allTasks(parsed.workflow).filter(({ task }) => task.type === WORKFLOW_CALL)) {
    const { task, list, index } = placed;
    try {
      const called = await loadCall(parsed, placed, callers, files);
      if (called === null) continue;
      calls.set(task.id, called);
      problems.push(...checkCall(parsed, placed, called.parsed));
    } catch (error) {
      if (!(error instanceof AutokestraError)) throw error;
      problems.push(parsed.problemAt([list, index, "inputs", "file"], error));
    }
  }
  return { calls, problems };
}

/** @returns null for a call without a file, which the check of its inputs tells */
async function loadCall(
  { folder, tasks }: ParsedWorkflow,
  { task }: PlacedTask,
  callers: readonly string[],
  files: Map<string, LoadedFile>,
): Promise<CalledWorkflow | null> {
  const { file } = task.inputs;
  if (typeof file !== "string") return null;
  const inputs = tasks.get(task.id)?.inputs;
  const template = inputs?.kind === "object" ? inputs.entries.find(([key]) => key === "file")?.[1] : undefined;
  if (template !== undefined && hasReference(template)) {
    throw invalid("The file of a called workflow must be written out, without references");
  }
  if (folder === null) throw invalid("Only a workflow that is read from a file can call another one");
  const path = isAbsolute(file) ? file : join(folder, file);
  const real = await realPath(path);
  const shown = quoteText(file);
  if (callers.includes(real)) {
    const circle = [...callers.slice(callers.indexOf(real)), real].map((each) => basename(each)).join(" -> ");
    throw invalid(`Workflows call each other in a cycle: ${circle}`);
  }
  const known = files.get(real) ?? (await loadFile(path, shown, [...callers, real], files));
  files.set(real, known);
  const [problem] = known.problems;
  if (problem !== undefined) {
    throw new AutokestraError(problem.code, inFile(shown, problem), { hint: problem.hint });
  }
  const depth = 1 + Math.max(0, ...[...known.calls.values()].map((call) => call.depth));
  if (depth > MAX_DEPTH) throw invalid(`Workflows call each other more than ${MAX_DEPTH} levels deep`);
  return { parsed: known.parsed, calls: known.calls, depth };
}

async function loadFile(
  path: string,
  shown: string,
  callers: readonly string[],
  files: Map<string, LoadedFile>,
): Promise<LoadedFile> {
  const { parsed, problems } = await readFileWorkflow(path);
  if (parsed === null || problems.length > 0) {
    const [first = invalidWorkflow("nothing can be read")] = problems;
    throw invalid(inFile(shown, first), first.hint);
  }
  if (!parsed.workflow.enabled) throw invalid(`The workflow ${shown} is disabled`);
  return { parsed, ...(await loadFrom(parsed, callers, files)) };
}

function inFile(shown: string, { message, position }: Pick<WorkflowProblem, "message" | "position">): string {
  return position === undefined
    ? `In ${shown}: ${message}`
    : `In ${shown}:${position.line}:${position.column}: ${message}`;
}

/** Checks what a call gives: inputs that are declared, and no secret that the caller may not use itself. */
function checkCall(
  caller: ParsedWorkflow,
  { task, list, index }: PlacedTask,
  called: ParsedWorkflow,
): WorkflowProblem[] {
  const allowed = task.secrets ?? caller.workflow.secrets;
  const excess = called.workflow.secrets.filter((name) => !allowed.includes(name));
  const given = isMap(task.inputs["inputs"]) ? task.inputs["inputs"] : {};
  const declared = inputsOf(called.workflow);
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(declared, name));
  const missing = Object.entries(declared).filter(
    ([name, input]) => !("default" in input) && !Object.hasOwn(given, name),
  );
  const wrong = Object.entries(given).flatMap(([name, value]) => {
    const declaration = Object.hasOwn(declared, name) ? declared[name] : undefined;
    const isLiteral = !JSON.stringify(value).includes("{{");
    const problem = declaration === undefined || !isLiteral ? null : inputProblem(declaration, value);
    return problem === null ? [] : [{ name, problem }];
  });
  const at = (key: string, message: string, code: "INPUT_INVALID" | "SECRET_NOT_DECLARED" = "INPUT_INVALID") =>
    caller.problemAt([list, index, "inputs", ...key.split("/")], new AutokestraError(code, message));
  return [
    ...excess.map((name) =>
      at("file", `The called workflow declares secret '${name}', which its caller may not use`, "SECRET_NOT_DECLARED"),
    ),
    ...unknown.map((name) => at(`inputs/${name}`, `The called workflow has no input '${quoteText(name)}'`)),
    ...missing.map(([name]) => at("inputs", `The called workflow needs the input '${name}'`)),
    ...wrong.map(({ name, problem }) => at(`inputs/${name}`, `Input '${name}' of the called workflow ${problem}`)),
  ];
}

async function realPath(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(message: string, hint?: string): AutokestraError {
  return new AutokestraError("WORKFLOW_INVALID", message, { hint });
}
