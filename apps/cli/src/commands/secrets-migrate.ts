import { migrateStore } from "@autokestra/secrets";
import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, choiceOption, defineCommand } from "../command.ts";

interface MigrateOptions {
  readonly to: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser.addOption(
      choiceOption(parser, "--to <driver>", "driver of the new store", ["sqlite", "file"]).makeOptionMandatory(),
    ),
  examples: ["autokestra secrets migrate --to file", "autokestra secrets migrate --to sqlite --json"],
  run: migrate,
});

/** Moves all secrets to another driver. */
async function migrate({ terminal, place }: CommandContext, { to }: MigrateOptions): Promise<void> {
  const report = await migrateStore(place, to);
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  const { secrets, versions, kept } = report;
  if (kept === null) return terminal.note(`The secrets are in a ${to} store already; nothing was done`);
  terminal.note(
    `Now in a ${to} store: ${plural(secrets, "secret")}, ${plural(versions, "version")}. The old one is kept: ${kept}`,
  );
}
