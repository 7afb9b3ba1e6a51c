import { AutokestraError } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra config validate", "autokestra config validate --config autokestra.config.yaml --json"],
  prints: true,
  run: validate,
});

/** Says that the configuration can be used. Reading it has found everything else but wrong options of providers, and plugins. */
async function validate({ terminal, place, runsPath }: CommandContext): Promise<void> {
  const config = place.defaults;
  if (config === undefined) {
    throw new AutokestraError("CONFIG_NOT_FOUND", "There is no configuration", {
      hint: "It is looked for as autokestra.config.yaml, from here up to the root of the repository.",
    });
  }
  const { checkProviders, describePlugins } = await import("../workflows.ts");
  const providers = await checkProviders(config);
  const described = await describePlugins(config, { ...place, runsPath });
  const plugins = described.map(({ name, actions }) => ({ name, actions: [...actions.keys()] }));
  if (terminal.json) terminal.write(`${JSON.stringify({ path: config.path, providers, plugins })}\n`);
  else terminal.write(`${quotePath(config.path)}: ok\n`);
}
