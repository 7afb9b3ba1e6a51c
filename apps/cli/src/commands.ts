import type { CommandDefinition } from "./command.ts";

/** A command or a group of commands. */
interface Named {
  /** The words that name it, such as `secrets set`. */
  readonly path: string;
  /** Other words for the last one, which other tools use. */
  readonly aliases?: readonly string[];
  /** What it does, for the help. Begins with a verb. */
  readonly summary: string;
}

export interface CommandEntry extends Named {
  /** Loads the file of the command. */
  load(): Promise<{ readonly command: CommandDefinition }>;
}

/** A global option. */
interface GlobalOption {
  readonly flags: string;
  /** A noun, with defaults and environment variables in brackets at the end. */
  readonly description: string;
  /** The values that it takes, if they are few. */
  readonly choices?: readonly string[];
}

export const GLOBAL_OPTIONS: readonly GlobalOption[] = [
  { flags: "-V, --version", description: "version of autokestra" },
  { flags: "--json", description: "JSON instead of text" },
  { flags: "-q, --quiet", description: "no notes" },
  { flags: "--no-color", description: "no colours [NO_COLOR]" },
  {
    flags: "--storage-path <folder>",
    description: "folder of the secrets [WORKFLOW_SECRETS_STORAGE_PATH, the nearest .workflow/secrets]",
  },
  {
    flags: "--storage-backend <driver>",
    description: "driver of the store [WORKFLOW_SECRETS_STORAGE_BACKEND, auto]",
    choices: ["auto", "sqlite", "file"],
  },
  {
    flags: "--key-file <file>",
    description:
      "path of the key file; no other key is tried [AUTOKESTRA_SECRET_KEY, AUTOKESTRA_SECRET_KEY_FILE, ~/.autokestra/secret.key]",
  },
  { flags: "--runs-path <file>", description: "path of the run history [runs.db beside the folder of the secrets]" },
  {
    flags: "--config <file>",
    description: "path of the configuration [AUTOKESTRA_CONFIG, the nearest autokestra.config.yaml]",
  },
];

export const GROUPS: readonly Named[] = [
  { path: "runs", summary: "List, show, follow, cancel, resume, repeat and delete runs" },
  { path: "secrets", aliases: ["secret"], summary: "Store, read, list, change and delete secrets" },
  { path: "keys", aliases: ["key"], summary: "List, export and import master keys" },
  { path: "tokens", aliases: ["token"], summary: "Create, list and revoke tokens of the HTTP API" },
  { path: "audit", summary: "List, check and export the audit log" },
  { path: "config", summary: "Check the configuration, print a schema" },
  { path: "plugin", aliases: ["plugins"], summary: "Write a new plugin" },
];

/** Every command, in the order of the help. Arguments, options and work of a command are in its file. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    path: "run",
    summary: "Run a workflow",
    load: () => import("./commands/run.ts"),
  },
  {
    path: "check",
    aliases: ["validate", "lint"],
    summary:
      "Check workflows without running them: shape, graph, references, inputs of actions, presence and expiry of secrets",
    load: () => import("./commands/check.ts"),
  },
  {
    path: "export",
    summary: "Print a workflow with a list of the secrets it needs, without their values",
    load: () => import("./commands/export.ts"),
  },
  {
    path: "doctor",
    summary: "Diagnose the key, the store and every record, with one line for each check",
    load: () => import("./commands/doctor.ts"),
  },
  {
    path: "runs list",
    aliases: ["ls"],
    summary: "List runs, newest first",
    load: () => import("./commands/runs-list.ts"),
  },
  {
    path: "runs show",
    summary: "Print the events of a run as `run` printed them",
    load: () => import("./commands/runs-show.ts"),
  },
  {
    path: "runs logs",
    summary: "Print the events of a run, and follow one that is running",
    load: () => import("./commands/runs-logs.ts"),
  },
  {
    path: "runs cancel",
    summary: "Cancel a waiting or running run of any process",
    load: () => import("./commands/runs-cancel.ts"),
  },
  {
    path: "runs resume",
    summary: "Resume a lost, failed or cancelled run after its last finished task",
    load: () => import("./commands/runs-resume.ts"),
  },
  {
    path: "runs rerun",
    summary: "Run the workflow of an earlier run again, as a new run",
    load: () => import("./commands/runs-rerun.ts"),
  },
  {
    path: "runs delete",
    aliases: ["rm"],
    summary: "Delete runs from the history",
    load: () => import("./commands/runs-delete.ts"),
  },
  {
    path: "secrets set",
    aliases: ["add", "put", "create"],
    summary:
      "Store a secret, or the next version of one. Without <value>, the value is asked for or read from standard input",
    load: () => import("./commands/secrets-set.ts"),
  },
  {
    path: "secrets get",
    aliases: ["show", "read", "cat"],
    summary: "Print the value of a secret",
    load: () => import("./commands/secrets-get.ts"),
  },
  {
    path: "secrets list",
    aliases: ["ls"],
    summary: "List secrets without their values",
    load: () => import("./commands/secrets-list.ts"),
  },
  {
    path: "secrets describe",
    aliases: ["info", "inspect"],
    summary: "Show everything about a secret except its hidden values: metadata, versions, fields, public values",
    load: () => import("./commands/secrets-describe.ts"),
  },
  {
    path: "secrets explain",
    summary: "Show which source a run would read a secret from, and what each source answers, without its value",
    load: () => import("./commands/secrets-explain.ts"),
  },
  {
    path: "secrets usage",
    summary: "List the workflows and tasks that use each secret, and the secrets that none uses",
    load: () => import("./commands/secrets-usage.ts"),
  },
  {
    path: "secrets edit",
    summary:
      "Change description, tags, expiry, public fields or who may use a secret; value and version stay the same. Reads no input and never prompts",
    load: () => import("./commands/secrets-edit.ts"),
  },
  {
    path: "secrets rename",
    aliases: ["mv"],
    summary: "Rename a secret; id and versions stay",
    load: () => import("./commands/secrets-rename.ts"),
  },
  {
    path: "secrets delete",
    aliases: ["rm", "remove"],
    summary: "Delete a secret; it can be restored for 30 days",
    load: () => import("./commands/secrets-delete.ts"),
  },
  {
    path: "secrets restore",
    aliases: ["undelete"],
    summary: "Restore a deleted secret: the last one deleted under that name",
    load: () => import("./commands/secrets-restore.ts"),
  },
  {
    path: "secrets versions",
    aliases: ["history"],
    summary: "List the versions of a secret without their values",
    load: () => import("./commands/secrets-versions.ts"),
  },
  {
    path: "secrets rollback",
    summary:
      "Store the value of an older version as the newest one; name, type, tags, expiry and public fields stay as they are",
    load: () => import("./commands/secrets-rollback.ts"),
  },
  {
    path: "secrets adopt",
    summary: "Move the credentials of a workflow file into the store, and replace them with references",
    load: () => import("./commands/secrets-adopt.ts"),
  },
  {
    path: "secrets import",
    summary: "Import all secrets of a file or none; importing again changes nothing",
    load: () => import("./commands/secrets-import.ts"),
  },
  {
    path: "secrets rotate-key",
    aliases: ["rotate"],
    summary: "Replace the master key; the old one is kept under its fingerprint",
    load: () => import("./commands/secrets-rotate-key.ts"),
  },
  {
    path: "secrets migrate",
    summary: "Move all secrets with their versions to another driver; the old store is kept",
    load: () => import("./commands/secrets-migrate.ts"),
  },
  {
    path: "secrets backup",
    summary: "Write an encrypted copy of the store, even while others use it",
    load: () => import("./commands/secrets-backup.ts"),
  },
  {
    path: "secrets restore-backup",
    summary: "Replace all secrets with those of a backup, after decrypting every record in it; the old store is kept",
    load: () => import("./commands/secrets-restore-backup.ts"),
  },
  {
    path: "keys list",
    aliases: ["ls"],
    summary: "List the master keys on this machine, where they are, and which known stores and backups use them",
    load: () => import("./commands/keys-list.ts"),
  },
  {
    path: "keys export",
    summary: "Write one master key to a new file",
    load: () => import("./commands/keys-export.ts"),
  },
  {
    path: "keys import",
    summary: "Copy a master key into the key folder, where the stores that need it find it",
    load: () => import("./commands/keys-import.ts"),
  },
  {
    path: "tokens create",
    aliases: ["add", "new"],
    summary: "Create a token of the HTTP API and print it once",
    load: () => import("./commands/tokens-create.ts"),
  },
  {
    path: "tokens list",
    aliases: ["ls"],
    summary: "List the tokens of the HTTP API, and whether each is authentic",
    load: () => import("./commands/tokens-list.ts"),
  },
  {
    path: "tokens revoke",
    aliases: ["rm", "delete"],
    summary: "Revoke a token of the HTTP API for good",
    load: () => import("./commands/tokens-revoke.ts"),
  },
  {
    path: "audit list",
    aliases: ["ls"],
    summary: "List who read or changed which secret, newest last",
    load: () => import("./commands/audit-list.ts"),
  },
  {
    path: "audit verify",
    aliases: ["check"],
    summary: "Check that no record was changed, removed or inserted, and name the first one that was",
    load: () => import("./commands/audit-verify.ts"),
  },
  {
    path: "audit stats",
    summary: "List how often each secret was read, changed and refused, or count by actor",
    load: () => import("./commands/audit-stats.ts"),
  },
  {
    path: "audit export",
    summary: "Print all records, one per line",
    load: () => import("./commands/audit-export.ts"),
  },
  {
    path: "audit restart",
    summary: "Write a signed record that the end of the log is lost, so that secrets can be read again",
    load: () => import("./commands/audit-restart.ts"),
  },
  {
    path: "serve",
    summary: "Serve secrets over HTTP, with tokens and an audit log",
    load: () => import("./commands/serve.ts"),
  },
  {
    path: "config validate",
    aliases: ["check"],
    summary: "Check the configuration, its providers and its plugins, without connecting to anything",
    load: () => import("./commands/config-validate.ts"),
  },
  {
    path: "config schema",
    summary: "Print the JSON Schema of workflow files, with the actions of plugins",
    load: () => import("./commands/config-schema.ts"),
  },
  {
    path: "plugin init",
    aliases: ["new", "create"],
    summary: "Write a working plugin with a test, to start from. Changes no existing file",
    load: () => import("./commands/plugin-init.ts"),
  },
];

/**
 * Finds the commands to load for a command line: the one that it names, none for `--version`, or all of them if it
 * names none or if only commander understands what stands before the name.
 */
export function commandsFor(args: readonly string[]): readonly CommandEntry[] {
  if (args.length === 1 && isVersion(args[0])) return [];
  let group: Named | undefined;
  for (const word of wordsOf(args)) {
    const entry = COMMANDS.find((candidate) => isNamed(candidate, group, word));
    if (entry !== undefined) return [entry];
    group = group === undefined ? GROUPS.find((candidate) => isNamed(candidate, undefined, word)) : undefined;
    if (group === undefined) break;
  }
  return COMMANDS;
}

function isVersion(arg: string | undefined): boolean {
  return arg === "--version" || arg === "-V";
}

function isNamed({ path, aliases = [] }: Named, group: Named | undefined, word: string): boolean {
  const words = path.split(" ");
  const last = words.pop() ?? "";
  return words.join(" ") === (group?.path ?? "") && (last === word || aliases.includes(word));
}

/** The arguments that are not global options, up to the first option that is not a global one. */
function* wordsOf(args: readonly string[]): Generator<string> {
  const rest = args.values();
  for (const arg of rest) {
    if (!arg.startsWith("-")) yield arg;
    else if (GLOBAL_OPTIONS.some(({ flags }) => takesValue(flags) && arg === nameOf(flags))) rest.next();
    else if (!GLOBAL_OPTIONS.some(({ flags }) => isGiven(flags, arg))) return;
  }
}

function isGiven(flags: string, arg: string): boolean {
  return takesValue(flags) ? arg.startsWith(`${nameOf(flags)}=`) : flags.split(", ").includes(arg);
}

function takesValue(flags: string): boolean {
  return flags.endsWith(">");
}

function nameOf(flags: string): string {
  return flags.split(" ", 1).join("");
}
