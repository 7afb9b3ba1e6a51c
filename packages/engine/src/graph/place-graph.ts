import measure from "fast-string-truncated-width";
import { type Box, layOut, type PlacedBox, type Point } from "./layout.ts";
import type { GraphNode, GraphSection, WorkflowGraph } from "./workflow-graph.ts";

/** The width of a character and the height of a line, in pixels, in a monospaced font of 12 pixels. */
const CHARACTER = 7.4;
const LINE = 18;
const PADDING = 12;
/** From the top of a line to its letters. */
const BASELINE = 13;
/** Between the sections of a workflow. */
const SECTION_GAP = 40;
/** The longest line, in columns. */
const MAX_COLUMNS = 48;

const TITLES = {
  tasks: "tasks",
  onFailure: "onFailure: if the run has failed",
  finally: "finally: at the end of every run",
} as const;

/** A workflow whose parts have their places in a picture. */
export interface PlacedGraph extends Box {
  /** In the order in which they are drawn: a later one is in front. */
  readonly parts: readonly GraphPart[];
}

export type GraphPart = PlacedLine | PlacedText;

/** An arrow. */
export interface PlacedLine {
  readonly kind: "line";
  /** Of an SVG path. */
  readonly data: string;
}

/** A box with text: a task, a task that calls a workflow and has its tasks inside, or a frame around a section. */
export interface PlacedText extends PlacedBox {
  readonly kind: "task" | "call" | "frame";
  readonly lines: readonly { readonly text: string; readonly x: number; readonly y: number }[];
  /** The task as the events of a run name it: `child/deploy` in a called workflow. Null for a frame. */
  readonly name: string | null;
  readonly node: GraphNode | null;
}

/** @param stateColumns how long a line each task has room for below its text. Default: 0, for none */
export function placeGraph(graph: WorkflowGraph, stateColumns = 0): PlacedGraph {
  const drawing = workflowDrawing(graph, { prefix: "", stateColumns });
  return {
    width: Math.ceil(drawing.width + 2 * PADDING),
    height: Math.ceil(drawing.height + 2 * PADDING),
    parts: drawing.place(PADDING, PADDING),
  };
}

/** A part of the picture whose place is decided later. */
interface Drawing extends Box {
  /** @param x the left edge @param y the upper edge */
  place(x: number, y: number): readonly GraphPart[];
}

interface DrawingOptions {
  /** Of the names of its tasks. */
  readonly prefix: string;
  readonly stateColumns: number;
}

const NOTHING: Drawing = { width: 0, height: 0, place: () => [] };

/** The sections of a workflow, one below the other; without a frame if there are only tasks. */
function workflowDrawing({ sections }: WorkflowGraph, options: DrawingOptions): Drawing {
  const drawings = sections.map((section) => ({
    title: TITLES[section.list],
    drawing: sectionDrawing(section, options),
  }));
  const [only, ...others] = drawings;
  if (only !== undefined && others.length === 0) return only.drawing;
  const frames = drawings.map(({ title, drawing }) =>
    framed(drawing, { kind: "frame", lines: [title], stateColumns: 0, name: null, node: null }),
  );
  const tops = frames.map((_, index) => sum(frames.slice(0, index).map(({ height }) => height + SECTION_GAP)));
  return {
    width: Math.max(...frames.map(({ width }) => width)),
    height: sum(frames.map(({ height }) => height)) + SECTION_GAP * (frames.length - 1),
    place: (x, y) =>
      frames.flatMap((frame, index) => {
        const top = y + (tops[index] ?? 0);
        const arrow = [
          { x: x + 24, y: top - SECTION_GAP },
          { x: x + 24, y: top },
        ];
        return [...(index === 0 ? [] : line(arrow)), ...frame.place(x, top)];
      }),
  };
}

function sectionDrawing({ nodes, edges }: GraphSection, options: DrawingOptions): Drawing {
  const drawings = nodes.map((node) => nodeDrawing(node, options));
  const { width, height, boxes, edges: paths } = layOut(drawings, edges);
  return {
    width,
    height,
    // Edges first: one that has to cross a box goes behind it.
    place: (x, y) => [
      ...paths.flatMap((points) => line(points.map((point) => ({ x: x + point.x, y: y + point.y })))),
      ...drawings.flatMap((drawing, index) => {
        const box = boxes[index];
        return box === undefined ? [] : drawing.place(x + box.x, y + box.y);
      }),
    ],
  };
}

function nodeDrawing(node: GraphNode, { prefix, stateColumns }: DrawingOptions): Drawing {
  const { id, type, notes, calls } = node;
  const name = prefix + id;
  const inside = calls === null ? NOTHING : workflowDrawing(calls, { prefix: `${name}/`, stateColumns });
  const kind = calls === null ? "task" : "call";
  return framed(inside, { kind, lines: [id, type, ...notes], stateColumns, name, node });
}

/** A box with lines of text on top, around a drawing. */
function framed(
  inside: Drawing,
  {
    lines,
    stateColumns,
    ...box
  }: Pick<PlacedText, "kind" | "name" | "node"> & { readonly lines: readonly string[]; readonly stateColumns: number },
): Drawing {
  const shown = lines.map(cutLine);
  const textHeight = (shown.length + (stateColumns === 0 ? 0 : 1)) * LINE;
  const gap = inside.height > 0 ? PADDING : 0;
  const columns = Math.max(stateColumns, ...shown.map((each) => each.columns));
  const width = Math.ceil(Math.max(inside.width, columns * CHARACTER) + 2 * PADDING);
  const height = Math.ceil(textHeight + gap + inside.height + 2 * PADDING);
  return {
    width,
    height,
    place: (x, y) => [
      {
        ...box,
        x,
        y,
        width,
        height,
        lines: shown.map(({ text }, index) => ({ text, x: x + PADDING, y: y + PADDING + BASELINE + index * LINE })),
      },
      ...inside.place(x + PADDING, y + PADDING + textHeight + gap),
    ],
  };
}

/** A line through points: curved between columns, straight through them. */
function line([start, ...points]: readonly Point[]): readonly PlacedLine[] {
  if (start === undefined) return [];
  let from = start;
  const parts = points.flatMap((to) => {
    if (from.x === to.x && from.y === to.y) return [];
    const middle = (from.x + to.x) / 2;
    const part =
      from.x === to.x || from.y === to.y
        ? `L${to.x} ${to.y}`
        : `C${middle} ${from.y} ${middle} ${to.y} ${to.x} ${to.y}`;
    from = to;
    return part;
  });
  return [{ kind: "line", data: `M${start.x} ${start.y}${parts.join("")}` }];
}

function cutLine(text: string): { readonly text: string; readonly columns: number } {
  const { index, width, ellipsed } = measure(text, { limit: MAX_COLUMNS, ellipsis: "…" });
  return ellipsed ? { text: `${text.slice(0, index)}…`, columns: width + 1 } : { text, columns: width };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
