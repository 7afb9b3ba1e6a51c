import type { Command } from "commander";
import type { CommandContext } from "./command-context.ts";
import { withExamples } from "./help-examples.ts";

/** Adds `autokestra keys …`. */
export function addKeysCommands(program: Command, context: () => CommandContext): void {
  const keys = program.command("keys").alias("key").description("List, export and import master keys");

  const list = keys
    .command("list")
    .alias("ls")
    .description("List the master keys on this machine, where they are, and which known stores and backups use them")
    .action(async () => {
      const { listMasterKeys } = await import("./commands/keys-list.ts");
      await listMasterKeys(context());
    });
  withExamples(list, ["autokestra keys list", "autokestra keys list --json"]);

  const exported = keys
    .command("export")
    .description("Write one master key to a file of its own")
    .argument("<fingerprint>", "fingerprint of the key: 16 hexadecimal digits")
    .requiredOption("--to <file>", "path of the new key file; never one that is there already")
    .action(async (fingerprint: string, options) => {
      const { exportMasterKey } = await import("./commands/keys-export.ts");
      await exportMasterKey(context(), fingerprint, options);
    });
  withExamples(exported, [
    "autokestra keys export 1f2e3d4c5b6a7988 --to /media/usb/autokestra.key",
    "autokestra keys export 1f2e3d4c5b6a7988 --to ./copy.key --json",
  ]);

  const imported = keys
    .command("import")
    .description("Copy a master key into the key folder, where the stores that need it find it")
    .argument("<file>", "path of the key file")
    .action(async (file: string) => {
      const { importMasterKey } = await import("./commands/keys-import.ts");
      await importMasterKey(context(), file);
    });
  withExamples(imported, [
    "autokestra keys import /media/usb/autokestra.key",
    "autokestra keys import ./copy.key --json",
  ]);
}
