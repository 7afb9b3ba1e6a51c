import { type Command, Option } from "commander";
import type { CommandContext } from "./command-context.ts";
import { withExamples } from "./help-examples.ts";
import { choiceOption, collect, typeOption } from "./options.ts";
import type { ProgramState } from "./program-state.ts";

const NAME = "name of the secret";

/** Adds `autokestra secrets …`. */
export function addSecretsCommands(program: Command, state: ProgramState, context: () => CommandContext): void {
  const secrets = program
    .command("secrets")
    .alias("secret")
    .description("Store, read, list, change and delete secrets");
  addSet(secrets, context);
  addGet(secrets, context);
  addList(secrets, context);
  addDescribe(secrets, context);
  addEdit(secrets, context);
  addRename(secrets, context);
  addDelete(secrets, context);
  addRestore(secrets, context);
  addVersions(secrets, context);
  addRollback(secrets, context);
  addImport(secrets, state, context);
  addRotateKey(secrets, state, context);
  addMigrate(secrets, context);
  addBackups(secrets, context);
}

function addSet(secrets: Command, context: () => CommandContext): void {
  const set = secrets
    .command("set")
    .aliases(["add", "put", "create"])
    .description(
      "Store a value: a new secret, or the next version of one. Without VALUE it is asked for, or read from standard input",
    )
    .argument("<name>", NAME)
    .argument(
      "[value]",
      "value, or - for standard input; visible in the process list and the shell history, better left out",
    )
    .addOption(typeOption("type of the secret"))
    .option("--from-file <file>", "path of a file with the value, or - for standard input")
    .option(
      "--field <k=v>",
      "one field; k=@FILE reads a file, k=- standard input, k=@@text is a text that begins with @; may be repeated",
      collect,
    )
    .option("--description <text>", "what the secret is for")
    .option("--tag <tag>", "tag, instead of those that are stored; may be repeated", collect)
    .option("--expires-at <when>", "expiry: a date, a time with an offset, 90d, `in 2 weeks`, or seconds since 1970")
    .option("--keep-expiry", "the expiry that is stored, for the new value too")
    .option("--public-field <field>", "field that is encrypted, but shown and not masked; may be repeated", collect)
    .option("--mask-field <field>", "field that is masked wherever it appears; may be repeated", collect)
    .option("--if-version <n>", "version that must be stored now; 0: none")
    .action(async (name: string, value: string | undefined, options) => {
      const { setSecret } = await import("./commands/secrets-set.ts");
      await setSecret(context(), name, value, options);
    });
  withExamples(set, [
    "pass show github | autokestra secrets set GITHUB_TOKEN --expires-at 2027-01-31",
    "autokestra secrets set DB --type basicAuth --field username=ada --field password=-",
  ]);
}

function addGet(secrets: Command, context: () => CommandContext): void {
  const get = secrets
    .command("get")
    .aliases(["show", "read", "cat"])
    .description("Print the value of a secret")
    .argument("<name>", NAME)
    .option("--field <field>", "name of the only field to print")
    .option("--at-version <n>", "older version to read")
    .action(async (name: string, options) => {
      const { getSecret } = await import("./commands/secrets-get.ts");
      await getSecret(context(), name, options);
    });
  withExamples(get, [
    "autokestra secrets get GITHUB_TOKEN",
    "autokestra secrets get DB --field password --at-version 2",
  ]);
}

function addList(secrets: Command, context: () => CommandContext): void {
  const list = secrets
    .command("list")
    .alias("ls")
    .description("List secrets without their values")
    .addOption(typeOption("type of the secrets"))
    .option("--tag <tag>", "tag that the secrets have; may be repeated", collect)
    .option("--prefix <text>", "beginning of the names")
    .option("--expires-before <when>", "moment before which the secrets expire, such as 2027-01-31 or 90d")
    .option("--deleted", "deleted secrets that can be restored, with their ids")
    .option("--limit <n>", "maximum number of secrets")
    .option("--after <name>", "name to start after (the last one of the previous page)")
    .option("--after-id <id>", "with --after: id to start after, where several deleted secrets have that name")
    .action(async (options) => {
      const { listSecrets } = await import("./commands/secrets-list.ts");
      await listSecrets(context(), options);
    });
  withExamples(list, [
    "autokestra secrets list --tag production --expires-before 2027-01-31",
    "autokestra secrets list --deleted --json",
  ]);
}

function addDescribe(secrets: Command, context: () => CommandContext): void {
  const describe = secrets
    .command("describe")
    .aliases(["info", "inspect"])
    .description("Show everything about a secret but its hidden values: metadata, versions, fields, public values")
    .argument("<name>", NAME)
    .action(async (name: string) => {
      const { describeSecret } = await import("./commands/secrets-describe.ts");
      await describeSecret(context(), name);
    });
  withExamples(describe, ["autokestra secrets describe DB", "autokestra secrets describe DB --json"]);
}

function addEdit(secrets: Command, context: () => CommandContext): void {
  const edit = secrets
    .command("edit")
    .description("Change what is said about a secret; its value and version stay. Reads no input and asks nothing")
    .argument("<name>", NAME)
    .option("--description <text>", "what the secret is for; an empty text removes it")
    .option("--tag <tag>", "tag to add; may be repeated", collect)
    .option("--untag <tag>", "tag to remove; may be repeated", collect)
    .option(
      "--expires-at <when>",
      "expiry: a date, a time with an offset, 90d, `in 2 weeks`, seconds since 1970, or `never`",
    )
    .option("--public-field <field>", "field that is encrypted, but shown and not masked; may be repeated", collect)
    .option("--mask-field <field>", "field that is masked wherever it appears; may be repeated", collect)
    .option("--secret-field <field>", "field that is as secret as its type says again; may be repeated", collect)
    .option("--if-revision <n>", "revision that must be stored now")
    .action(async (name: string, options) => {
      const { editSecret } = await import("./commands/secrets-edit.ts");
      await editSecret(context(), name, options);
    });
  withExamples(edit, [
    "autokestra secrets edit GITHUB_TOKEN --tag production --untag test",
    "autokestra secrets edit DB --expires-at never --public-field username",
  ]);
}

function addRename(secrets: Command, context: () => CommandContext): void {
  const rename = secrets
    .command("rename")
    .alias("mv")
    .description("Give a secret another name; id and versions stay")
    .argument("<from>", "name that the secret has")
    .argument("<to>", "name that it gets")
    .action(async (from: string, to: string) => {
      const { renameSecret } = await import("./commands/secrets-rename.ts");
      await renameSecret(context(), from, to);
    });
  withExamples(rename, ["autokestra secrets rename TOKN TOKEN", "autokestra secrets rename DB DB_OLD --json"]);
}

function addDelete(secrets: Command, context: () => CommandContext): void {
  const remove = secrets
    .command("delete")
    .aliases(["rm", "remove"])
    .description("Delete a secret; it can be restored for 30 days")
    .argument("<name>", NAME)
    .option("--purge", "removal for good of everything of that name: all versions, also of deleted secrets")
    .option("-f, --force", "no question")
    .addOption(new Option("-y, --yes", "no question, as other programs call it").hideHelp())
    .action(async (name: string, options) => {
      const { deleteSecret } = await import("./commands/secrets-delete.ts");
      await deleteSecret(context(), name, { ...options, force: options.force ?? options.yes });
    });
  withExamples(remove, [
    "autokestra secrets delete GITHUB_TOKEN",
    "autokestra secrets delete GITHUB_TOKEN --purge --force",
  ]);
}

function addRestore(secrets: Command, context: () => CommandContext): void {
  const restore = secrets
    .command("restore")
    .alias("undelete")
    .description("Put a deleted secret back into use: the one of that name that was deleted last")
    .argument("<name>", NAME)
    .option("--id <id>", "id of another deleted secret of that name")
    .action(async (name: string, options) => {
      const { restoreSecret } = await import("./commands/secrets-restore.ts");
      await restoreSecret(context(), name, options);
    });
  withExamples(restore, [
    "autokestra secrets restore GITHUB_TOKEN",
    "autokestra secrets restore GITHUB_TOKEN --id 0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88",
  ]);
}

function addVersions(secrets: Command, context: () => CommandContext): void {
  const versions = secrets
    .command("versions")
    .alias("history")
    .description("List the versions of a secret without their values")
    .argument("<name>", NAME)
    .action(async (name: string) => {
      const { listVersions } = await import("./commands/secrets-versions.ts");
      await listVersions(context(), name);
    });
  withExamples(versions, ["autokestra secrets versions DB", "autokestra secrets versions DB --json"]);
}

function addRollback(secrets: Command, context: () => CommandContext): void {
  const rollback = secrets
    .command("rollback")
    .description(
      "Make the value of an older version the newest one; name, type, tags, expiry and fields stay as they are today",
    )
    .argument("<name>", NAME)
    .requiredOption("--to <n>", "version to go back to")
    .action(async (name: string, options) => {
      const { rollBackSecret } = await import("./commands/secrets-rollback.ts");
      await rollBackSecret(context(), name, options);
    });
  withExamples(rollback, ["autokestra secrets rollback DB --to 3", "autokestra secrets rollback DB --to 3 --json"]);
}

function addImport(secrets: Command, state: ProgramState, context: () => CommandContext): void {
  const imported = secrets
    .command("import")
    .description("Import all secrets of a file or none; importing again changes nothing")
    .addOption(
      choiceOption("--from <source>", "kind of file", ["dotenv", "json", "fernet-sqlite"]).makeOptionMandatory(),
    )
    .requiredOption("--file <file>", "path of the file to read; - is standard input")
    .option("--fernet-key <file>", "path of a file with the Fernet keys, one per line")
    .option("--dry-run", "only a report of what would be done")
    .addOption(
      choiceOption("--on-conflict <what>", "what to do with a name that is stored with another value", [
        "fail",
        "skip",
        "overwrite",
      ]).default("fail"),
    )
    .option("--rename", "the proposed name where a name is refused")
    .option("--skip-empty", "what has an empty value is left out")
    .action(async (options) => {
      const { importFile } = await import("./commands/secrets-import.ts");
      state.exitCode = await importFile(context(), options);
    });
  withExamples(imported, [
    "autokestra secrets import --from dotenv --file .env --dry-run",
    "autokestra secrets import --from json --file secrets.json --on-conflict overwrite",
  ]);
}

function addRotateKey(secrets: Command, state: ProgramState, context: () => CommandContext): void {
  const rotate = secrets
    .command("rotate-key")
    .alias("rotate")
    .description("Replace the master key; the one before is kept under its fingerprint")
    .option("--new-key-file <file>", "path of the new key file; made if it is not there")
    .option("--all-stores", "rotation of every known store under the same key")
    .option("--data-key", "a new data key too, with every secret encrypted again")
    .action(async (options) => {
      const { rotateKey } = await import("./commands/secrets-rotate-key.ts");
      state.exitCode = await rotateKey(context(), options);
    });
  withExamples(rotate, [
    "autokestra secrets rotate-key --data-key",
    "autokestra secrets rotate-key --new-key-file ~/keys/project.key --all-stores",
  ]);
}

function addMigrate(secrets: Command, context: () => CommandContext): void {
  const migrate = secrets
    .command("migrate")
    .description("Move all secrets with their versions into a store of another kind; the old one is kept")
    .addOption(choiceOption("--to <driver>", "kind of the new store", ["sqlite", "file"]).makeOptionMandatory())
    .action(async (options) => {
      const { migrate: migrateSecrets } = await import("./commands/secrets-migrate.ts");
      await migrateSecrets(context(), options);
    });
  withExamples(migrate, ["autokestra secrets migrate --to file", "autokestra secrets migrate --to sqlite --json"]);
}

function addBackups(secrets: Command, context: () => CommandContext): void {
  const backup = secrets
    .command("backup")
    .description("Write a copy of the store, still encrypted, while others use it")
    .argument("<file>", "path of the backup; never one that is there already")
    .action(async (file: string) => {
      const { backUp } = await import("./commands/secrets-backup.ts");
      await backUp(context(), file);
    });
  withExamples(backup, [
    "autokestra secrets backup /backups/secrets-2027-01-31.db",
    "autokestra secrets backup ./copy.db --json",
  ]);

  const restore = secrets
    .command("restore-backup")
    .description("Replace all secrets by those of a backup, once every record in it has opened; the old store is kept")
    .argument("<file>", "path of the backup")
    .action(async (file: string) => {
      const { restoreFromBackup } = await import("./commands/secrets-restore-backup.ts");
      await restoreFromBackup(context(), file);
    });
  withExamples(restore, [
    "autokestra secrets restore-backup /backups/secrets-2027-01-31.db",
    "autokestra secrets restore-backup ./copy.db --key-file ~/.autokestra/secret.key.1f2e3d4c5b6a7988",
  ]);
}
