import { importKey } from "@autokestra/secrets";
import { recordOperation } from "@autokestra/secrets/internal";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { noticesTo } from "../output/terminal.ts";

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser.argument("<file>", "path of the key file"),
  examples: ["autokestra keys import /media/usb/autokestra.key", "autokestra keys import ./copy.key --json"],
  run: importMasterKey,
});

/** Copies a master key into the key folder. */
async function importMasterKey({ terminal, place }: CommandContext, file: string): Promise<void> {
  const options = { keyFile: place.keyFile, defaultKeyFile: place.defaults?.keyFile, onNotice: noticesTo(terminal) };
  const imported = await recordOperation(place, "keys.import", async () => await importKey(options, file));
  if (terminal.json) return terminal.write(`${JSON.stringify(imported)}\n`);
  const { fingerprint, path, isNew } = imported;
  terminal.note(`Key ${fingerprint} is ${isNew ? "now" : "already"} in ${quotePath(path)}`);
}
