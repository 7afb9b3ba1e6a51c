import type { ApiWorkflowGraph } from "@autokestra/server/answers";
import { DataTable } from "../components/data-table.tsx";
import { formatDuration } from "../components/format.ts";
import { StateBadge } from "./states.tsx";
import { durationOf, type GraphTaskState } from "./task-states.ts";

interface TaskListProps {
  readonly states: ReadonlyMap<string, GraphTaskState>;
  readonly now: number;
  readonly hrefOf: (task: string) => string;
}

/** Tasks that no picture shows. */
export function TaskList({ states, now, hrefOf }: TaskListProps) {
  return (
    <DataTable
      caption="Tasks"
      rows={[...states]}
      keyOf={([name]) => name}
      columns={[
        { header: "Task", cell: ([name]) => <a href={hrefOf(name)}>{name}</a> },
        { header: "State", cell: ([, { status }]) => <StateBadge state={status} /> },
        {
          header: "Took",
          cell: ([, state]) => {
            const duration = durationOf(state, now);
            return duration === null ? "–" : formatDuration(duration);
          },
        },
      ]}
    />
  );
}

/** What a graph shows of each task, in words: by the names that the events of a run have. */
export function describeTasks({ sections }: ApiWorkflowGraph, prefix = ""): ReadonlyMap<string, string> {
  const entries = sections.flatMap(({ nodes, edges }) =>
    nodes.flatMap(({ id, type, notes, calls }, position): (readonly [string, string])[] => {
      const name = prefix + id;
      const before = edges.flatMap(([from, to]) => (to === position ? [nodes[from]?.id] : []));
      const words = [name, type, ...notes, ...(before.length === 0 ? [] : [`after ${before.join(" and ")}`])];
      const inside = calls === null ? [] : describeTasks(calls, `${name}/`);
      return [[name, words.join(", ")], ...inside];
    }),
  );
  return new Map(entries);
}
