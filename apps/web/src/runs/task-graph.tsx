import { type GraphPart, type PlacedText, placeGraph } from "@autokestra/engine/internal/graph";
import type { ApiWorkflowGraph } from "@autokestra/server/answers";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { formatDuration } from "../components/format.ts";
import { lookOf, type TaskStatus } from "./states.tsx";
import { describeTasks } from "./task-list.tsx";
import { durationOf, type GraphTaskState } from "./task-states.ts";

interface TaskGraphProps {
  readonly graph: ApiWorkflowGraph;
  /** What it shows, for screen readers. */
  readonly label: string;
  /** Of one run. Default: it is the graph of a workflow. */
  readonly run?: GraphRun;
}

interface GraphRun {
  readonly states: ReadonlyMap<string, GraphTaskState>;
  /** Whether tasks without a state will start. */
  readonly isGoingOn: boolean;
  readonly now: number;
  /** The task that is looked at; null for none. */
  readonly selected: string | null;
  /** Where a click on a task leads to. */
  readonly hrefOf: (task: string) => string;
}

/** Room for `● Running, 12 min 34 s`. */
const STATE_COLUMNS = 22;

/** The tasks of a workflow as a picture. Those of a run are links, whose names say all that is drawn; otherwise a list says it. */
export function TaskGraph({ graph, label, run }: TaskGraphProps) {
  const { width, height, parts } = useMemo(() => placeGraph(graph, run === undefined ? 0 : STATE_COLUMNS), [graph]);
  const words = useMemo(() => describeTasks(graph), [graph]);
  return (
    <section class="graph" aria-label={label} tabIndex={run === undefined ? 0 : undefined}>
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden={run === undefined}>
        <title>{label}</title>
        <defs>
          <marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
            <path class="tip" d="M0 0 8 4 0 8z" />
          </marker>
        </defs>
        {parts.map((part, index) => (
          <Part key={index} part={part} words={words} run={run} />
        ))}
      </svg>
      {run === undefined && (
        <ol class="visually-hidden">
          {[...words].map(([name, text]) => (
            <li key={name}>{text}</li>
          ))}
        </ol>
      )}
    </section>
  );
}

interface PartProps {
  readonly part: GraphPart;
  readonly words: ReadonlyMap<string, string>;
  readonly run: GraphRun | undefined;
}

function Part({ part, words, run }: PartProps) {
  if (part.kind === "line") return <path class="edge" d={part.data} marker-end="url(#tip)" />;
  const { name } = part;
  if (name === null || run === undefined) return <Box part={part} look={part.kind} />;
  const state = run.states.get(name);
  const status: TaskStatus = state?.status ?? (run.isGoingOn ? "waiting" : "idle");
  const { text, sign, tone } = lookOf(status);
  const duration = state === undefined ? null : durationOf(state, run.now);
  const word = duration === null ? text : `${text}, ${formatDuration(duration)}`;
  return (
    <Box part={part} look={`${part.kind} ${tone} ${status}`} state={`${sign} ${word}`}>
      <a
        href={run.hrefOf(name)}
        aria-label={`${words.get(name)}. ${word}`}
        aria-current={run.selected === name ? "true" : undefined}
      >
        <Frame part={part} />
      </a>
    </Box>
  );
}

interface BoxProps {
  readonly part: PlacedText;
  /** Its kind and state, as classes. */
  readonly look: string;
  /** Below its text. Default: nothing. */
  readonly state?: string;
  /** Default: the frame alone. */
  readonly children?: ComponentChildren;
}

/** The text lies over the frame, so that a link around the frame can say it in better words. */
function Box({ part, look, state, children = <Frame part={part} /> }: BoxProps) {
  const last = part.lines.at(-1);
  return (
    <g class={`box ${look}`}>
      {children}
      {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a group of texts gets no focus */}
      <g class="texts" aria-hidden="true">
        {part.lines.map(({ text, x, y }, index) => (
          <text key={index} class={index === 0 ? "id" : "note"} x={x} y={y}>
            {text}
          </text>
        ))}
        {state !== undefined && last !== undefined && (
          <text class="state" x={last.x} y={last.y + 18}>
            {state}
          </text>
        )}
      </g>
    </g>
  );
}

function Frame({ part: { x, y, width, height } }: { part: PlacedText }) {
  return <rect x={x} y={y} width={width} height={height} rx="6" />;
}
