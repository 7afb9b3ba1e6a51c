import measure from "fast-string-truncated-width";
import { type Box, layOut, type PlacedBox } from "./layout.ts";
import type { GraphNode, GraphSection, WorkflowGraph } from "./workflow-graph.ts";

/** The width of a character and the height of a line, in pixels, at the size of the text. */
const CHARACTER = 7.4;
const LINE = 18;
const PADDING = 12;
/** Between the sections of a workflow. */
const SECTION_GAP = 40;
/** The longest line, in columns. */
const MAX_COLUMNS = 48;

const TITLES = {
  tasks: "tasks",
  onFailure: "onFailure: if the run has failed",
  finally: "finally: at the end of every run",
} as const;

/** Dark colours apply where the reader prefers them. The background is drawn too, so that text is readable on any page. */
const STYLE = `
text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; }
.id { font-weight: bold; }
.note { fill: #59636e; }
.page { fill: #ffffff; }
.frame { fill: none; stroke: #afb8c1; stroke-dasharray: 4 3; }
.task, .call { fill: #f6f8fa; stroke: #59636e; }
.call { fill: #eef4fb; }
.edge { fill: none; stroke: #59636e; }
.tip { fill: #59636e; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .note { fill: #9da7b3; }
  .page { fill: #0d1117; }
  .frame { stroke: #4b535d; }
  .task { fill: #161b22; stroke: #9da7b3; }
  .call { fill: #13233a; stroke: #9da7b3; }
  .edge { stroke: #9da7b3; }
  .tip { fill: #9da7b3; }
}`;

/** A part of the picture whose place is decided later. */
interface Drawing extends Box {
  /** @param x the left edge @param y the upper edge */
  draw(x: number, y: number): string;
}

/** A workflow as an SVG image. */
export function toSvg(graph: WorkflowGraph): string {
  const drawing = workflowDrawing(graph);
  const [width, height] = [drawing.width + 2 * PADDING, drawing.height + 2 * PADDING].map(Math.ceil);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(`Workflow ${graph.id}`)}</title>
<style>${STYLE}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="page" width="${width}" height="${height}"/>
${drawing.draw(PADDING, PADDING)}</svg>
`;
}

/** The sections of a workflow, one below the other; without a frame if there are only tasks. */
function workflowDrawing({ sections }: WorkflowGraph): Drawing {
  const drawings = sections.map((section) => ({ title: TITLES[section.list], drawing: sectionDrawing(section) }));
  const [only, ...others] = drawings;
  if (only !== undefined && others.length === 0) return only.drawing;
  const frames = drawings.map(({ title, drawing }) => framed(drawing, [title], "frame"));
  const tops = frames.map((_, index) => sum(frames.slice(0, index).map(({ height }) => height + SECTION_GAP)));
  return {
    width: Math.max(...frames.map(({ width }) => width)),
    height: sum(frames.map(({ height }) => height)) + SECTION_GAP * (frames.length - 1),
    draw: (x, y) =>
      frames
        .map((frame, index) => {
          const top = y + (tops[index] ?? 0);
          const arrow =
            index === 0
              ? ""
              : line([
                  { x: x + 24, y: top - SECTION_GAP },
                  { x: x + 24, y: top },
                ]);
          return arrow + frame.draw(x, top);
        })
        .join(""),
  };
}

function sectionDrawing({ nodes, edges }: GraphSection): Drawing {
  const drawings = nodes.map(nodeDrawing);
  const { width, height, boxes, edges: paths } = layOut(drawings, edges);
  const place = (x: number, y: number) => (drawing: Drawing, index: number) => {
    const box: PlacedBox | undefined = boxes[index];
    return box === undefined ? "" : drawing.draw(x + box.x, y + box.y);
  };
  return {
    width,
    height,
    // Edges first: one that has to cross a box goes behind it.
    draw: (x, y) =>
      paths.map((points) => line(points.map((point) => ({ x: x + point.x, y: y + point.y })))).join("") +
      drawings.map(place(x, y)).join(""),
  };
}

function nodeDrawing({ id, type, notes, calls }: GraphNode): Drawing {
  const inside = calls === null ? { width: 0, height: 0, draw: () => "" } : workflowDrawing(calls);
  return framed(inside, [id, type, ...notes], calls === null ? "task" : "call");
}

/** A rounded box with lines of text on top, around a drawing. */
function framed(inside: Drawing, lines: readonly string[], kind: "frame" | "task" | "call"): Drawing {
  const shown = lines.map(cutLine);
  const textHeight = shown.length * LINE;
  const gap = inside.height > 0 ? PADDING : 0;
  const width = Math.ceil(Math.max(inside.width, ...shown.map(({ columns }) => columns * CHARACTER)) + 2 * PADDING);
  const height = Math.ceil(textHeight + gap + inside.height + 2 * PADDING);
  return {
    width,
    height,
    draw(x, y) {
      const texts = shown.map(({ text }, index) => {
        const name = index === 0 ? "id" : "note";
        return `<text class="${name}" x="${x + PADDING}" y="${y + PADDING + 13 + index * LINE}" xml:space="preserve">${escapeXml(text)}</text>\n`;
      });
      const box = `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>\n`;
      return box + texts.join("") + inside.draw(x + PADDING, y + PADDING + textHeight + gap);
    },
  };
}

/** A line through points: curved between columns, straight through them. */
function line([start, ...points]: readonly { readonly x: number; readonly y: number }[]): string {
  if (start === undefined) return "";
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
  return `<path class="edge" d="M${start.x} ${start.y}${parts.join("")}" marker-end="url(#tip)"/>\n`;
}

function cutLine(text: string): { readonly text: string; readonly columns: number } {
  const { index, width, ellipsed } = measure(text, { limit: MAX_COLUMNS, ellipsis: "…" });
  return ellipsed ? { text: `${text.slice(0, index)}…`, columns: width + 1 } : { text, columns: width };
}

/** Also for attributes. What XML does not allow at all, `quoteText` has replaced before. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
