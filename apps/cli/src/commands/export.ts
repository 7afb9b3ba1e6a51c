import type { NeededSecret } from "@autokestra/engine";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { withSecrets } from "../secrets.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<file>", "path of the workflow file"),
  examples: ["autokestra export deploy.yaml > shared.yaml", "autokestra export deploy.yaml --json"],
  prints: true,
  run: exportFile,
});

/** Prints a workflow and the secrets it needs, as YAML that still runs or as one JSON object. */
async function exportFile(context: CommandContext, file: string): Promise<void> {
  const { terminal } = context;
  const { exportWorkflow, loadWorkflow } = await import("../workflows.ts");
  const parsed = await loadWorkflow(file);
  const stored = await withSecrets(context, false, async (secrets) => await secrets.list());
  const { workflow, secrets } = exportWorkflow(parsed, new Map(stored.map(({ name, type }) => [name, type])));
  if (terminal.json) return terminal.write(`${JSON.stringify({ workflow, secrets })}\n`);
  const manifest =
    secrets.length === 0 ? "# Needs no secrets.\n" : `# Needs these secrets:\n${secrets.map(describe).join("")}`;
  const asked = Object.entries(workflow.inputs).flatMap(([name, { secret }]) => (secret === true ? [name] : []));
  const inputs = asked.length === 0 ? "" : `# Asks for these secret inputs: ${asked.join(", ")}\n`;
  terminal.write(`${manifest}${inputs}${parsed.source}`);
}

function describe({ name, type, fields }: NeededSecret): string {
  const uses = fields.length > 0 ? `, fields: ${fields.join(", ")}` : "";
  return `#   ${name} (${type ?? "not stored here"}${uses})\n`;
}
