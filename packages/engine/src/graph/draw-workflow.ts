import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import { toMermaid } from "./mermaid.ts";
import { toSvg } from "./svg.ts";
import { workflowGraph } from "./workflow-graph.ts";

/** How a workflow can be drawn. */
export type GraphFormat = "mermaid" | "svg";

/**
 * Draws a workflow: its tasks and what they need, conditions, `forEach`, `onFailure`, `finally` and the workflows that it
 * calls. Use it to show people what a workflow does. The picture has no inputs of tasks and no value, and the same
 * workflow has the same picture.
 *
 * @param parsed a workflow from {@link loadWorkflow} or {@link parseWorkflow}
 * @param format `mermaid`: the text of a flowchart. `svg`: an image for light and dark pages, without scripts and links
 * @throws AutokestraError `WORKFLOW_NOT_FOUND` if a called workflow cannot be read meanwhile
 * @example
 * ```ts
 * import { drawWorkflow, parseWorkflow } from "@autokestra/engine";
 *
 * const tasks = "[{ id: build, type: core/shell.run }, { id: deploy, type: core/http.get, needs: [build] }]";
 * const workflow = parseWorkflow(`{ apiVersion: v1, id: demo, tasks: ${tasks} }`, "demo.yaml");
 * console.log(await drawWorkflow(workflow, "mermaid")); // flowchart LR …
 * ```
 */
export async function drawWorkflow(parsed: ParsedWorkflow, format: GraphFormat): Promise<string> {
  const graph = await workflowGraph(parsed);
  return format === "mermaid" ? toMermaid(graph) : toSvg(graph);
}
