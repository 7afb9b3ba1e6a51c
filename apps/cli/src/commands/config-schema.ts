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
async function printSchema({ terminal, place, runsPath }: CommandContext): Promise<void> {
  const { corePlugins, describePlugins, workflowJsonSchema } = await import("../workflows.ts");
  const config = place.defaults;
  const configured = config === undefined ? [] : await describePlugins(config, { ...place, runsPath });
  terminal.write(`${JSON.stringify(workflowJsonSchema([...corePlugins, ...configured]), null, 2)}\n`);
}
