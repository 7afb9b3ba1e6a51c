import { type Command, Option } from "commander";
import type { CommandContext } from "./command-context.ts";
import { collect, typeOption } from "./options.ts";
import type { ProgramState } from "./program-state.ts";

/** Adds `autokestra secrets …`. */
export function addSecretsCommands(program: Command, state: ProgramState, context: () => CommandContext): void {
  const secrets = program.command("secrets").description("store, read, list and delete secrets");
  addValueCommands(secrets, context);
  addVersionCommands(secrets, context);
  addStoreCommands(secrets, state, context);
}

function addValueCommands(secrets: Command, context: () => CommandContext): void {
  secrets
    .command("set")
    .description("store a secret; without VALUE it is asked for, or read from standard input")
    .argument("<name>")
    .argument("[value]", "visible in the process list and the shell history: better leave it out")
    .addOption(typeOption())
    .option("--from-file <file>", "read the value from a file")
    .option("--field <k=v>", "one field; k=@FILE reads a file, k=- standard input; may be repeated", collect)
    .option("--description <text>", "what it is for")
    .option("--tag <tag>", "a tag; may be repeated", collect)
    .option("--expires-at <when>", "ISO 8601, or milliseconds since 1970")
    .option("--if-version <n>", "only if this is the stored version; 0: only if there is none")
    .action(async (name: string, value: string | undefined, options) => {
      const { setSecret } = await import("./commands/secrets-set.ts");
      await setSecret(context(), name, value, options);
    });

  secrets
    .command("get")
    .description("print the value of a secret")
    .argument("<name>")
    .option("--field <field>", "only this field")
    .option("--at-version <n>", "an older version")
    .action(async (name: string, options) => {
      const { getSecret } = await import("./commands/secrets-get.ts");
      await getSecret(context(), name, options);
    });

  secrets
    .command("list")
    .description("list secrets, without their values")
    .addOption(typeOption())
    .option("--tag <tag>", "only with this tag; may be repeated", collect)
    .option("--prefix <text>", "only names that begin with this")
    .option("--expires-before <when>", "only those that expire before: ISO 8601, or milliseconds since 1970")
    .option("--deleted", "deleted secrets that can be restored")
    .option("--limit <n>", "at most so many")
    .option("--after <name>", "only names behind this one: the last of the page before")
    .action(async (options) => {
      const { listSecrets } = await import("./commands/secrets-list.ts");
      await listSecrets(context(), options);
    });

  secrets
    .command("delete")
    .description("delete a secret; it can be restored for 30 days")
    .argument("<name>")
    .option("--purge", "remove it for good, with all versions")
    .option("--force", "do not ask")
    .action(async (name: string, options) => {
      const { deleteSecret } = await import("./commands/secrets-delete.ts");
      await deleteSecret(context(), name, options);
    });
}

function addVersionCommands(secrets: Command, context: () => CommandContext): void {
  secrets
    .command("restore")
    .description("put a deleted secret back into use")
    .argument("<name>")
    .action(async (name: string) => {
      const { restoreSecret } = await import("./commands/secrets-restore.ts");
      await restoreSecret(context(), name);
    });

  secrets
    .command("versions")
    .description("list the versions of a secret, without their values")
    .argument("<name>")
    .action(async (name: string) => {
      const { listVersions } = await import("./commands/secrets-versions.ts");
      await listVersions(context(), name);
    });

  secrets
    .command("rollback")
    .description("make an older version the newest")
    .argument("<name>")
    .requiredOption("--to <n>", "the version to go back to")
    .action(async (name: string, options) => {
      const { rollBackSecret } = await import("./commands/secrets-rollback.ts");
      await rollBackSecret(context(), name, options);
    });
}

function addStoreCommands(secrets: Command, state: ProgramState, context: () => CommandContext): void {
  secrets
    .command("import")
    .description("bring secrets over from elsewhere: all or nothing, and twice is once")
    .addOption(new Option("--from <source>").choices(["dotenv", "json", "fernet-sqlite"]).makeOptionMandatory())
    .requiredOption("--file <file>", "what to read")
    .option("--fernet-key <file>", "the Fernet keys, one per line")
    .option("--dry-run", "only say what would be done")
    .addOption(
      new Option("--on-conflict <what>", "where a name is stored with another value")
        .choices(["fail", "skip", "overwrite"])
        .default("fail"),
    )
    .option("--rename", "take the proposed name where a name is refused")
    .action(async (options) => {
      const { importFile } = await import("./commands/secrets-import.ts");
      state.exitCode = await importFile(context(), options);
    });

  secrets
    .command("rotate-key")
    .description("put a new master key in the place of the old one")
    .option("--new-key-file <file>", "the new key; made if it is not there")
    .option("--data-key", "make a new data key too, and seal every secret anew")
    .action(async (options) => {
      const { rotateKey } = await import("./commands/secrets-rotate-key.ts");
      await rotateKey(context(), options);
    });

  secrets
    .command("migrate")
    .description("move all secrets with their versions into another kind of store; the old one is kept")
    .addOption(new Option("--to <backend>").choices(["sqlite", "file"]).makeOptionMandatory())
    .action(async (options) => {
      const { migrate } = await import("./commands/secrets-migrate.ts");
      await migrate(context(), options);
    });

  secrets
    .command("backup")
    .description("write a copy of the store, still sealed, while others use it")
    .argument("<file>", "where there is nothing yet")
    .action(async (file: string) => {
      const { backUp } = await import("./commands/secrets-backup.ts");
      await backUp(context(), file);
    });

  secrets
    .command("restore-backup")
    .description("put a backup in the place of the store, once every record in it has opened; the old store is kept")
    .argument("<file>")
    .action(async (file: string) => {
      const { restoreFromBackup } = await import("./commands/secrets-restore-backup.ts");
      await restoreFromBackup(context(), file);
    });
}
