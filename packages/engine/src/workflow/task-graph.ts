import { DepGraph, DepGraphCycleError } from "dependency-graph";
import type { Task } from "./workflow.ts";

/** A problem of the graph. */
interface GraphProblem {
  readonly message: string;
  /** The index of the task that has it. */
  readonly task: number;
}

/** The order of the tasks. */
export interface TaskGraph {
  readonly problems: readonly GraphProblem[];
  /** All tasks that this one needs, directly or indirectly. Empty if the graph has problems. */
  before(id: string): ReadonlySet<string>;
}

/** Builds the graph of `needs` and finds duplicate ids, unknown needs and cycles. */
export function createTaskGraph(tasks: readonly Task[]): TaskGraph {
  const graph = new DepGraph<number>();
  const problems: GraphProblem[] = [];
  for (const [index, { id }] of tasks.entries()) {
    if (graph.hasNode(id)) problems.push({ message: `Task id '${id}' is used twice`, task: index });
    graph.addNode(id, index);
  }
  for (const [index, { id, needs }] of tasks.entries()) {
    for (const need of needs) {
      if (graph.hasNode(need)) graph.addDependency(id, need);
      else problems.push({ message: `Task '${id}' needs '${need}', which is not a task`, task: index });
    }
  }
  const cycle = findCycle(graph);
  if (cycle !== null) {
    const [first = ""] = cycle;
    problems.push({
      message: `Tasks depend on each other in a cycle: ${cycle.join(" -> ")}`,
      task: graph.getNodeData(first),
    });
  }
  return {
    problems,
    before: (id) => new Set(problems.length === 0 ? graph.dependenciesOf(id) : []),
  };
}

function findCycle(graph: DepGraph<number>): readonly string[] | null {
  try {
    graph.overallOrder();
    return null;
  } catch (error) {
    if (error instanceof DepGraphCycleError) return error.cyclePath;
    throw error;
  }
}
