import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import {
  type FileShape,
  MAX_BYTES,
  type Position,
  parseYaml,
  type RespelledValue,
  shapeProblems,
  type TextPart,
  type YamlPath,
} from "@autokestra/config/yaml";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, quoteText } from "@autokestra/secrets-core/internal";
import type { TemplateTree } from "@autokestra/secrets-resolver";
import type { z } from "zod";
import { checkFlow } from "./check-flow.ts";
import { checkReferences } from "./check-references.ts";
import { checkDefaults, lostNumbers } from "./check-values.ts";
import { invalidWorkflow, WorkflowError, type WorkflowProblem } from "./problem.ts";
import { type ParsedTask, parseTexts, type ReferenceUse } from "./references.ts";
import { createTaskGraph, type TaskGraph } from "./task-graph.ts";
import type { Workflow } from "./workflow.ts";
import { knownKeys, workflowSchema } from "./workflow-schema.ts";

/**
 * A workflow that passed every check that needs neither actions nor secrets. Pass it to an engine or {@link
 * exportWorkflow}.
 */
export interface ParsedWorkflow {
  /** The path of the file, for messages. */
  readonly path: string;
  /** The text of the file. */
  readonly source: string;
  readonly workflow: Workflow;
  readonly graph: TaskGraph;
  /** The parsed texts of each task, by its id. */
  readonly tasks: ReadonlyMap<string, ParsedTask>;
  readonly outputs: TemplateTree;
  /**
   * The folder that files of called workflows are looked for in. Null for a workflow that was not read from a file: it
   * can call no other, and matches no rule of a secret about workflows, because anybody can give a text any id.
   */
  readonly folder: string | null;
  readonly references: readonly ReferenceUse[];
  /** Numbers in the file that would read differently as text. */
  readonly respelled: readonly RespelledValue[];
  /** @throws WorkflowError with these problems, if there are any */
  failIfAny(problems: readonly WorkflowProblem[]): void;
  /** Finds the position of a value, or of a reference in it. */
  locate(path: YamlPath, mark?: TextPart): Position | undefined;
  /** Describes an error at a place in the file. */
  problemAt(path: YamlPath, error: AutokestraError, mark?: TextPart): WorkflowProblem;
}

/**
 * Reads a workflow file and checks it as {@link parseWorkflow} does.
 *
 * @param path the path of a file with YAML or JSON, at most 1 MiB
 * @throws AutokestraError `WORKFLOW_NOT_FOUND` if the file cannot be read, `WORKFLOW_INVALID` if it is not UTF-8
 * @throws WorkflowError with all problems found
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { loadWorkflow } from "@autokestra/engine";
 *
 * const path = `${mkdtempSync("/tmp/demo-")}/demo.yaml`;
 * const tasks = "[{ id: say, type: core/console.log, inputs: { message: hello } }]";
 * writeFileSync(path, `{ apiVersion: v1, id: demo, tasks: ${tasks} }`);
 * const { workflow } = await loadWorkflow(path);
 * console.log(workflow.id, workflow.tasks.length); // demo 1
 * ```
 */
export async function loadWorkflow(path: string): Promise<ParsedWorkflow> {
  const parsed = parseWorkflow(await readSource(path), path);
  return { ...parsed, folder: dirname(resolve(path)) };
}

/** Reads a file as {@link readWorkflow} reads a text. @throws as {@link readSource} */
export async function readFileWorkflow(path: string): Promise<ReadWorkflow> {
  const { parsed, problems } = readWorkflow(await readSource(path), path);
  return { parsed: parsed && { ...parsed, folder: dirname(resolve(path)) }, problems };
}

/** The absolute path of the file of a workflow; null for one that was not read from a file. */
export function workflowFile({ folder, path }: ParsedWorkflow): string | null {
  return folder === null ? null : resolve(path);
}

/** Tells by its name whether a file may be a workflow: YAML or JSON, and not hidden. */
export function isWorkflowFile(name: string): boolean {
  return /\.(?:ya?ml|json)$/.test(name) && !name.startsWith(".");
}

/** @throws AutokestraError `WORKFLOW_NOT_FOUND`, or `WORKFLOW_INVALID` if the file is not UTF-8 */
export async function readSource(path: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    if (await isPipe(path)) {
      throw new AutokestraError("WORKFLOW_NOT_FOUND", `The workflow file ${quoteText(path)} is a pipe or a device`);
    }
    // One byte more than allowed shows that a file is too large, without reading the rest of it.
    for await (const chunk of createReadStream(path, { end: MAX_BYTES })) chunks.push(chunk);
  } catch (error) {
    if (error instanceof AutokestraError) throw error;
    const code = errorCode(error) || "unknown error";
    throw new AutokestraError("WORKFLOW_NOT_FOUND", `The workflow file ${quoteText(path)} cannot be read (${code})`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new AutokestraError("WORKFLOW_INVALID", `The workflow file ${quoteText(path)} is not UTF-8 text`);
  }
}

/** What a shell gives a command to read, as with `<(…)`. */
const OF_SHELL = /^\/(?:dev\/stdin$|dev\/fd\/|proc\/(?:self|\d+)\/fd\/)/;

/** A pipe or a device in a folder would be waited for. */
async function isPipe(path: string): Promise<boolean> {
  if (OF_SHELL.test(path)) return false;
  const found = await stat(path);
  return !found.isFile() && !found.isDirectory();
}

/**
 * Parses a workflow and checks everything that needs neither actions nor secrets: the YAML, the keys, the graph of
 * tasks, and references against declarations. Use {@link checkWorkflow} to find everything else that is wrong with a
 * file.
 *
 * @param source YAML or JSON, at most 1 MiB
 * @param path the path to name in messages; nothing is read from it
 * @throws WorkflowError with all problems found
 * @example
 * ```ts
 * import { parseWorkflow, WorkflowError } from "@autokestra/engine";
 *
 * try {
 *   parseWorkflow("{ apiVersion: v1, id: demo, taks: [] }", "demo.yaml");
 * } catch (error) {
 *   if (error instanceof WorkflowError) console.log(error.format()); // the problems, with their places in the file
 * }
 * ```
 */
export function parseWorkflow(source: string, path: string): ParsedWorkflow {
  const { parsed, problems } = readWorkflow(source, path);
  parsed?.failIfAny(problems);
  const [first, ...others] = problems;
  if (parsed !== null) return parsed;
  throw new WorkflowError(path, source, [first ?? invalidWorkflow("The workflow cannot be read"), ...others]);
}

/** The readable part of a workflow, and what is wrong with the rest. */
interface ReadWorkflow {
  /** The workflow without its invalid parts; null if nothing is left. */
  readonly parsed: ParsedWorkflow | null;
  readonly problems: readonly WorkflowProblem[];
}

/** Finds everything that is wrong with a workflow, except what needs actions or secrets to be known. */
export function readWorkflow(source: string, path: string): ReadWorkflow {
  const document = parseYaml(source, invalidWorkflow);
  if (document.problems.length > 0) return { parsed: null, problems: document.problems };
  const result = workflowSchema.safeParse(document.data, { reportInput: true });
  const issues = (result.error?.issues ?? []).flatMap(chooseBranch);
  const problems = shapeProblems(issues, document, SHAPE);
  const { data: workflow } = result.success ? result : workflowSchema.safeParse(repair(document.data, issues));
  if (workflow === undefined) return { parsed: null, problems };
  const graph = createTaskGraph(workflow.tasks);
  const { tasks, outputs, uses: references } = parseTexts(workflow);
  const parsed: ParsedWorkflow = {
    path,
    source,
    workflow,
    graph,
    tasks,
    outputs,
    folder: null,
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
      ...checkFlow(workflow, tasks, document),
      ...checkDefaults(workflow, document),
      ...checkReferences(workflow, graph, certain, document),
      ...lostNumbers(document.respelled),
    ],
  };
}

/** Where one branch of a union is meant, its issues say more than that no branch fits. */
function chooseBranch(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  // Of a union that a key tells apart, the values of that key.
  if ("options" in issue && issue.options !== undefined) {
    return [{ ...issue, code: "invalid_value", values: issue.options.map(String) }];
  }
  const meant = issue.errors.filter((branch) =>
    branch.every(({ path, code }) => path.length > 0 || !WRONG_KIND.has(code)),
  );
  const [only = [issue], ...others] = meant;
  if (meant.length === 0 || others.length > 0) return [issue];
  return only.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

const WRONG_KIND: ReadonlySet<string> = new Set(["invalid_type", "invalid_value"]);

const SHAPE: FileShape = { subject: "The workflow", invalid: invalidWorkflow, knownKeys };

/** What does not have its shape: nothing that refers to it can be said to be wrong. */
function brokenDeclarations(issues: readonly z.core.$ZodIssue[]): ReadonlySet<string> {
  const roots = issues.flatMap(({ path: [first, , third], code, path }) => {
    const isDeclaration = TASK_LISTS.has(first) ? path.length <= 2 || third === "id" : code !== "unrecognized_keys";
    return isDeclaration ? [TASK_LISTS.has(first) ? "tasks" : String(first)] : [];
  });
  return new Set(roots);
}

const TASK_LISTS: ReadonlySet<PropertyKey | undefined> = new Set(["tasks", "onFailure", "finally"]);

/** The type of a task that has none, so that the rest of it can be checked. */
export const NO_TYPE = "no/type.given";

/**
 * Removes what the schema refuses, so that one check finds everything that is wrong with the rest. Tasks keep their
 * index.
 */
function repair(data: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy: unknown = structuredClone(data);
  for (const { code, path, ...issue } of issues) {
    if (code === "unrecognized_keys" && "keys" in issue) for (const key of issue.keys) remove(copy, [...path, key]);
    else remove(copy, path.slice(0, removedLength(path)));
  }
  if (!isMap(copy)) return copy;
  const { tasks, onFailure, finally: last, inputs, secrets } = copy;
  return {
    apiVersion: "v1",
    id: "none",
    ...copy,
    ...(Array.isArray(tasks) ? { tasks: tasks.map(repairTask) } : {}),
    ...(Array.isArray(onFailure) ? { onFailure: onFailure.map(repairHandler("failure")) } : {}),
    ...(Array.isArray(last) ? { finally: last.map(repairHandler("finally")) } : {}),
    ...(Array.isArray(secrets) ? { secrets: secrets.filter((name) => name !== undefined) } : {}),
    ...(isMap(inputs) ? { inputs: Object.fromEntries(Object.entries(inputs).map(repairInput)) } : {}),
  };
}

/** How much of a path is removed: what is only valid as a whole goes as a whole. */
function removedLength([first, , third, ...rest]: readonly PropertyKey[]): number {
  if (first === "trigger" || first === "concurrency") return 1;
  return third === "retry" ? 3 : 3 + rest.length;
}

function repairHandler(list: string): (task: unknown, index: number) => unknown {
  return (task, index) => ({ id: `${list}-${index}`, type: NO_TYPE, ...(isMap(task) ? task : {}) });
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
  // Not deleted, so that the other items of the list keep their index.
  else if (Array.isArray(data)) Reflect.set(data, key, undefined);
  else Reflect.deleteProperty(data, key);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
