import type { CommandDefinition } from "./command.ts";

/** One command, or a group of them. */
interface Named {
  /** As it is typed behind the program, such as `secrets set`. */
  readonly path: string;
  /** Other words for the last one. */
  readonly aliases?: readonly string[];
  /** What it does, for the help. */
  readonly summary: string;
}

export interface CommandEntry extends Named {
  /** Loads its file. */
  load(): Promise<{ readonly command: CommandDefinition }>;
}

/** A global option. */
interface GlobalOption {
  readonly flags: string;
  readonly description: string;
  /** The values that it takes, where they are few. */
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
    description: "kind of store [WORKFLOW_SECRETS_STORAGE_BACKEND, auto]",
    choices: ["auto", "sqlite", "file"],
  },
  {
    flags: "--key-file <file>",
    description:
      "path of the key file, tried alone [AUTOKESTRA_SECRET_KEY, AUTOKESTRA_SECRET_KEY_FILE, ~/.autokestra/secret.key]",
  },
  { flags: "--runs-path <file>", description: "path of the run history [runs.db in the same .workflow]" },
  {
    flags: "--config <file>",
    description: "path of the configuration [AUTOKESTRA_CONFIG, the nearest autokestra.config.yaml]",
  },
];

export const GROUPS: readonly Named[] = [
  { path: "runs", summary: "List and show past runs" },
  { path: "secrets", aliases: ["secret"], summary: "Store, read, list, change and delete secrets" },
  { path: "keys", aliases: ["key"], summary: "List, export and import master keys" },
  { path: "config", summary: "Check the configuration" },
];

/** Every command, in the order of the help. What a command takes and does is in its file. */
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
    summary: "Examine key, store and every record, and print one line each",
    load: () => import("./commands/doctor.ts"),
  },
  {
    path: "runs list",
    aliases: ["ls"],
    summary: "List runs, the newest first",
    load: () => import("./commands/runs-list.ts"),
  },
  {
    path: "runs show",
    summary: "Print the events of a run as `run` has printed them",
    load: () => import("./commands/runs-show.ts"),
  },
  {
    path: "secrets set",
    aliases: ["add", "put", "create"],
    summary:
      "Store a value: a new secret, or the next version of one. Without VALUE it is asked for, or read from standard input",
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
    summary: "Show everything about a secret but its hidden values: metadata, versions, fields, public values",
    load: () => import("./commands/secrets-describe.ts"),
  },
  {
    path: "secrets explain",
    summary: "Show where a run would take the value of a secret from, and what each source answers; never the value",
    load: () => import("./commands/secrets-explain.ts"),
  },
  {
    path: "secrets edit",
    summary: "Change what is said about a secret; its value and version stay. Reads no input and asks nothing",
    load: () => import("./commands/secrets-edit.ts"),
  },
  {
    path: "secrets rename",
    aliases: ["mv"],
    summary: "Give a secret another name; id and versions stay",
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
    summary: "Put a deleted secret back into use: the one of that name that was deleted last",
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
      "Make the value of an older version the newest one; name, type, tags, expiry and fields stay as they are today",
    load: () => import("./commands/secrets-rollback.ts"),
  },
  {
    path: "secrets import",
    summary: "Import all secrets of a file or none; importing again changes nothing",
    load: () => import("./commands/secrets-import.ts"),
  },
  {
    path: "secrets rotate-key",
    aliases: ["rotate"],
    summary: "Replace the master key; the one before is kept under its fingerprint",
    load: () => import("./commands/secrets-rotate-key.ts"),
  },
  {
    path: "secrets migrate",
    summary: "Move all secrets with their versions into a store of another kind; the old one is kept",
    load: () => import("./commands/secrets-migrate.ts"),
  },
  {
    path: "secrets backup",
    summary: "Write a copy of the store, still encrypted, while others use it",
    load: () => import("./commands/secrets-backup.ts"),
  },
  {
    path: "secrets restore-backup",
    summary: "Replace all secrets by those of a backup, once every record in it has opened; the old store is kept",
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
    summary: "Write one master key to a file of its own",
    load: () => import("./commands/keys-export.ts"),
  },
  {
    path: "keys import",
    summary: "Copy a master key into the key folder, where the stores that need it find it",
    load: () => import("./commands/keys-import.ts"),
  },
  {
    path: "config validate",
    aliases: ["check"],
    summary: "Check the configuration, and the options of every provider in it. Connects to nothing",
    load: () => import("./commands/config-validate.ts"),
  },
];

/**
 * The commands that a command line can be about: the one that it names, which alone is loaded then; none for `--version`; or all of
 * them, where it names none or anything stands before the name that only commander understands.
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

/** The arguments that are no global options, up to the first option that is none either. */
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
