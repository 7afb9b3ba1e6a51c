import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: [
    "autokestra config schema > workflow.schema.json",
    "autokestra config schema --config ci/autokestra.config.yaml",
  ],
  prints: true,
  run: printSchema,
});

/** Prints the JSON Schema of workflow files, with the actions of the configured plugins. */
async function printSchema(context: CommandContext): Promise<void> {
  const { allPlugins, workflowJsonSchema } = await import("../workflows.ts");
  context.terminal.write(`${JSON.stringify(workflowJsonSchema(await allPlugins(context)), null, 2)}\n`);
}
