import { type GraphPart, placeGraph } from "./place-graph.ts";
import type { WorkflowGraph } from "./workflow-graph.ts";

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

/** A workflow as an SVG image. */
export function toSvg(graph: WorkflowGraph): string {
  const { width, height, parts } = placeGraph(graph);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(`Workflow ${graph.id}`)}</title>
<style>${STYLE}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>
<rect class="page" width="${width}" height="${height}"/>
${parts.map(draw).join("")}</svg>
`;
}

function draw(part: GraphPart): string {
  if (part.kind === "line") return `<path class="edge" d="${part.data}" marker-end="url(#tip)"/>\n`;
  const { kind, x, y, width, height, lines } = part;
  const texts = lines.map((line, index) => {
    const name = index === 0 ? "id" : "note";
    return `<text class="${name}" x="${line.x}" y="${line.y}" xml:space="preserve">${escapeXml(line.text)}</text>\n`;
  });
  return `<rect class="${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>\n${texts.join("")}`;
}

/** Also for attributes. What XML does not allow at all, `quoteText` has replaced before. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
