import { findTokens, plural, quoteText } from "@autokestra/secrets-core/internal";
import { wholeReference } from "@autokestra/secrets-resolver";
import { type CalledWorkflows, loadCalls } from "../run/called-workflows.ts";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { allTasks, type Task } from "../workflow/workflow.ts";

/** A workflow as it is drawn. It has no inputs of tasks, and so no value. */
export interface WorkflowGraph {
  readonly id: string;
  /** The tasks, then those of `onFailure` and `finally`, where there are any. */
  readonly sections: readonly GraphSection[];
}

/** Tasks that are drawn together. */
export interface GraphSection {
  readonly list: "tasks" | "onFailure" | "finally";
  readonly nodes: readonly GraphNode[];
  /** From the position of a task in `nodes` to that of one that comes after it. */
  readonly edges: readonly (readonly [from: number, to: number])[];
}

/** A task as it is drawn. */
export interface GraphNode {
  readonly id: string;
  readonly type: string;
  /** When and how often it runs, one line each. No line has control characters. */
  readonly notes: readonly string[];
  /** The workflow that it calls; null for other actions, and where this workflow is drawn elsewhere. */
  readonly calls: WorkflowGraph | null;
}

/** The workflow as it is drawn, with those that it calls. A workflow that is called again is drawn only once. */
export async function workflowGraph(parsed: ParsedWorkflow): Promise<WorkflowGraph> {
  const { calls } = await loadCalls(parsed);
  return toGraph(parsed, calls, new Set());
}

function toGraph(parsed: ParsedWorkflow, calls: CalledWorkflows, drawn: Set<string>): WorkflowGraph {
  const { workflow } = parsed;
  const nodes = allTasks(workflow).map(({ task, list }) => ({ list, task, node: toNode(task, parsed, calls, drawn) }));
  const lists = (["tasks", "onFailure", "finally"] as const).map((list) => {
    const own = nodes.filter((each) => each.list === list);
    const tasks = own.map(({ task }) => task);
    return { list, nodes: own.map(({ node }) => node), edges: list === "tasks" ? needsOf(tasks) : inTurn(tasks) };
  });
  return { id: workflow.id, sections: lists.filter(({ list, nodes: own }) => list === "tasks" || own.length > 0) };
}

function needsOf(tasks: readonly Task[]): (readonly [number, number])[] {
  const positions = new Map(tasks.map(({ id }, position) => [id, position]));
  return tasks.flatMap(({ needs }, to) =>
    [...new Set(needs)].flatMap((need) => {
      const from = positions.get(need);
      return from === undefined ? [] : [[from, to] as const];
    }),
  );
}

function inTurn(tasks: readonly Task[]): (readonly [number, number])[] {
  return tasks.slice(1).map((_, position) => [position, position + 1]);
}

function toNode(task: Task, parsed: ParsedWorkflow, calls: CalledWorkflows, drawn: Set<string>): GraphNode {
  const called = calls.get(task.id);
  const isDrawn = called === undefined || drawn.has(called.parsed.path);
  if (called !== undefined) drawn.add(called.parsed.path);
  return {
    id: task.id,
    type: task.type,
    notes: notesOf(task, parsed, called !== undefined && isDrawn ? called.parsed.workflow.id : null),
    calls: isDrawn ? null : toGraph(called.parsed, called.calls, drawn),
  };
}

/** @param again the id of a called workflow that is drawn elsewhere; null for none */
function notesOf(
  { id, if: condition, forEach, concurrency = 1, ...task }: Task,
  parsed: ParsedWorkflow,
  again: string | null,
): string[] {
  return [
    ...(condition === undefined ? [] : [`if ${shown(condition)}`]),
    ...(forEach === undefined ? [] : [`for each ${itemsOf(id, forEach, parsed)}`]),
    ...(concurrency > 1 ? [`${concurrency} at a time`] : []),
    ...(task.continueOnError === true ? ["may fail"] : []),
    ...(again === null ? [] : [`workflow ${quoteText(again)}, drawn once`]),
  ];
}

/** The items of a list are values, so only their number is said. */
function itemsOf(id: string, forEach: NonNullable<Task["forEach"]>, { tasks }: ParsedWorkflow): string {
  if (typeof forEach !== "string") return `of ${plural(forEach.length, "item")}`;
  const items = tasks.get(id)?.items;
  const reference = items?.kind === "template" ? wholeReference(items.template) : null;
  return reference === null ? "item" : `of ${shown(forEach)}`;
}

/** Secrets cannot be here, but somebody may have written the token of a service into the file. */
function shown(text: string): string {
  const withoutTokens = findTokens(text).reduceRight(
    (rest, { start, end }) => `${rest.slice(0, start)}…${rest.slice(end)}`,
    text,
  );
  return quoteText(withoutTokens);
}
