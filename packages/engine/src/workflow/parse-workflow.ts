import { createReadStream } from "node:fs";
import {
  type FileShape,
  MAX_BYTES,
  type Mark,
  type Position,
  parseYaml,
  type RespelledValue,
  shapeProblems,
  type YamlPath,
} from "@autokestra/config/yaml";
import { AutokestraError, errorCode, quoteText } from "@autokestra/secrets-core";
import { parseTemplates, type TemplateTree } from "@autokestra/secrets-resolver";
import type { z } from "zod";
import { checkDefaults, lostNumbers } from "./check-values.ts";
import { invalidWorkflow, WorkflowError, type WorkflowProblem } from "./problem.ts";
import { checkReferences, findReferences, type ReferenceUse } from "./references.ts";
import { createTaskGraph, type TaskGraph } from "./task-graph.ts";
import { knownKeys, type Workflow, workflowSchema } from "./workflow.ts";

/** A workflow that has passed every check that needs no secret. */
export interface ParsedWorkflow {
  readonly path: string;
  readonly source: string;
  readonly workflow: Workflow;
  readonly graph: TaskGraph;
  /** The inputs of each task, by its id, with their texts taken apart. */
  readonly templates: ReadonlyMap<string, TemplateTree>;
  readonly references: readonly ReferenceUse[];
  /** Numbers in the file that would read differently as text. */
  readonly respelled: readonly RespelledValue[];
  /** Throws a WorkflowError with these problems, if there are any. */
  failIfAny(problems: readonly WorkflowProblem[]): void;
  /** The place of a value, or of a reference in it. */
  locate(path: YamlPath, mark?: Mark): Position | undefined;
  /** What is wrong at a place in the file. */
  problemAt(path: YamlPath, error: AutokestraError, mark?: Mark): WorkflowProblem;
}

/**
 * Reads and checks a workflow file.
 *
 * @throws AutokestraError `WORKFLOW_NOT_FOUND`; WorkflowError with all problems found
 */
export async function loadWorkflow(path: string): Promise<ParsedWorkflow> {
  return parseWorkflow(await readSource(path), path);
}

/** @throws AutokestraError `WORKFLOW_NOT_FOUND`, `WORKFLOW_INVALID` for what is no text */
export async function readSource(path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    // One byte more than may be there: a file of any size, or without end, is not read any further.
    for await (const chunk of createReadStream(path, { end: MAX_BYTES })) chunks.push(chunk);
  } catch (error) {
    const code = errorCode(error) || "unknown error";
    throw new AutokestraError("WORKFLOW_NOT_FOUND", `The workflow file ${quoteText(path)} cannot be read (${code})`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new AutokestraError("WORKFLOW_INVALID", `The workflow file ${quoteText(path)} is not UTF-8 text`);
  }
}

/**
 * Checks a workflow: YAML, shape, graph, references against what is declared.
 *
 * @param path for messages only
 * @throws WorkflowError with all problems found
 */
export function parseWorkflow(source: string, path: string): ParsedWorkflow {
  const { parsed, problems } = readWorkflow(source, path);
  parsed?.failIfAny(problems);
  const [first, ...others] = problems;
  if (parsed !== null) return parsed;
  throw new WorkflowError(path, source, [first ?? invalidWorkflow("The workflow cannot be read"), ...others]);
}

/** A workflow as far as it can be read, and what is wrong with it. */
interface ReadWorkflow {
  /** Without the parts that do not have the shape of one; null where nothing is left. */
  readonly parsed: ParsedWorkflow | null;
  readonly problems: readonly WorkflowProblem[];
}

/** Finds everything that is wrong with a workflow, as far as that takes neither an action nor a secret. */
export function readWorkflow(source: string, path: string): ReadWorkflow {
  const document = parseYaml(source, invalidWorkflow);
  if (document.problems.length > 0) return { parsed: null, problems: document.problems };
  const result = workflowSchema.safeParse(document.data, { reportInput: true });
  const issues = result.error?.issues ?? [];
  const problems = shapeProblems(issues, document, SHAPE);
  const { data: workflow } = result.success ? result : workflowSchema.safeParse(repair(document.data, issues));
  if (workflow === undefined) return { parsed: null, problems };
  const graph = createTaskGraph(workflow.tasks);
  const trees = workflow.tasks.map(({ id, inputs }) => [id, parseTemplates(inputs)] as const);
  const references = trees.flatMap(([id, tree], index) => findReferences(id, tree, ["tasks", index, "inputs"]));
  const parsed: ParsedWorkflow = {
    path,
    source,
    workflow,
    graph,
    templates: new Map(trees),
    references,
    respelled: document.respelled,
    failIfAny([first, ...others]) {
      if (first !== undefined) throw new WorkflowError(path, source, [first, ...others]);
    },
    locate: (place, mark) => document.locate(place, mark),
    problemAt: (place, { code, message, hint }, mark) => ({
      code,
      message,
      hint,
      position: document.locate(place, mark),
    }),
  };
  const broken = brokenDeclarations(issues);
  const graphProblems = broken.has("tasks") ? [] : graph.problems;
  const certain = references.filter(({ result: found }) => !("reference" in found && broken.has(found.reference.root)));
  return {
    parsed,
    problems: [
      ...problems,
      ...graphProblems.map(({ message, task }) => invalidWorkflow(message, document.locate(["tasks", task]))),
      ...checkDefaults(workflow, document),
      ...checkReferences(workflow, graph, certain, document),
      ...lostNumbers(document.respelled),
    ],
  };
}

const SHAPE: FileShape = { subject: "The workflow", invalid: invalidWorkflow, knownKeys };

/** What does not have its shape: nothing that refers to it can be said to be wrong. */
function brokenDeclarations(issues: readonly z.core.$ZodIssue[]): ReadonlySet<string> {
  const roots = issues.flatMap(({ path: [first, , third], code, path }) => {
    const isDeclaration = first === "tasks" ? path.length <= 2 || third === "id" : code !== "unrecognized_keys";
    return isDeclaration ? [String(first)] : [];
  });
  return new Set(roots);
}

/** The type of a task that has none, so that the rest of it can be checked. */
export const NO_TYPE = "no/type.given";

/**
 * The data of a workflow without what its schema refuses, so that a check finds in one go what is wrong with the rest. A task keeps its
 * index.
 */
function repair(data: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy: unknown = structuredClone(data);
  for (const { code, path, ...issue } of issues) {
    if (code === "unrecognized_keys" && "keys" in issue) for (const key of issue.keys) remove(copy, [...path, key]);
    else if (path[0] === "trigger" || path[2] === "retry") remove(copy, path.slice(0, path[0] === "trigger" ? 1 : 3));
    else remove(copy, path);
  }
  if (!isMap(copy)) return copy;
  const { tasks, inputs, secrets } = copy;
  return {
    apiVersion: "v1",
    id: "none",
    ...copy,
    ...(Array.isArray(tasks) ? { tasks: tasks.map(repairTask) } : {}),
    ...(Array.isArray(secrets) ? { secrets: secrets.filter((name) => name !== undefined) } : {}),
    ...(isMap(inputs) ? { inputs: Object.fromEntries(Object.entries(inputs).map(repairInput)) } : {}),
  };
}

function repairInput([name, input]: [string, unknown]): [string, unknown] {
  return [name, isMap(input) ? { type: "json", ...input } : { type: "json" }];
}

function repairTask(task: unknown, index: number): unknown {
  const { needs, ...known } = isMap(task) ? task : {};
  const given = Array.isArray(needs) ? { needs: needs.filter((need) => need !== undefined) } : {};
  return { id: `task-${index}`, type: NO_TYPE, ...known, ...given };
}

function remove(data: unknown, path: readonly PropertyKey[]): void {
  const [key, ...rest] = path;
  if (key === undefined || typeof data !== "object" || data === null) return;
  if (rest.length > 0) remove(Reflect.get(data, key), rest);
  // The others in a list keep their index.
  else if (Array.isArray(data)) Reflect.set(data, key, undefined);
  else Reflect.deleteProperty(data, key);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
