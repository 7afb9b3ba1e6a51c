import type { SecretUser } from "@autokestra/engine/internal";
import { AutokestraError } from "@autokestra/secrets-core";
import { isIdentifier, plural, secretNotFound } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { USE_HINTS } from "../hints.ts";
import { printTable } from "../output/table.ts";
import { hideArguments, parseNameArgument } from "../rejected-input.ts";
import { withSecrets } from "../secrets.ts";

interface UsageOptions {
  readonly workflows?: string;
}

/** A secret, and the workflows that use it. */
interface UsedSecret {
  readonly name: string;
  readonly isStored: boolean;
  readonly users: readonly SecretUser[];
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("[name]", "name of the secret; all without one")
      .argument("[file...]", "paths of workflow files; one that has no dot and no slash needs ./ before it")
      .option("--workflows <folder>", "folder of workflow files, with the folders below it"),
  examples: [
    "autokestra secrets usage --workflows workflows",
    "autokestra secrets usage GITHUB_TOKEN deploy.yaml release.yaml --json",
  ],
  prints: true,
  run: showUsage,
});

/** Shows which workflows and tasks use which secrets. Returns the exit code: that of a failure if a file could not be read. */
async function showUsage(
  context: CommandContext,
  first: string | undefined,
  others: readonly string[],
  { workflows }: UsageOptions,
): Promise<number> {
  const { terminal } = context;
  const isFile = first !== undefined && /[./\\]/.test(first) && !isIdentifier(first);
  const name = first === undefined || isFile ? null : parseNameArgument(first);
  const given = isFile ? [first, ...others] : others;
  if (given.length === 0 && workflows === undefined) {
    throw new AutokestraError("USAGE", "No workflow file was given", { hint: USE_HINTS.whereWorkflows });
  }
  const { findSecretUsage, listWorkflowFiles } = await import("../workflows.ts");
  const inFolder = workflows === undefined ? [] : await listWorkflowFiles(workflows);
  const { users, files, unread } = await findSecretUsage([...given, ...inFolder]);
  const stored = await withSecrets(context, false, async (secrets) => await secrets.list());
  const names = [...new Set([...stored.map((secret) => String(secret.name)), ...users.keys()])].sort();
  const all = names.map((each): UsedSecret => {
    return { name: each, isStored: stored.some((secret) => secret.name === each), users: users.get(each) ?? [] };
  });
  const shown = name === null ? all : all.filter((secret) => secret.name === name);
  if (name !== null && shown.length === 0) throw secretNotFound(name);
  for (const { path, problem } of unread) {
    terminal.warn(hideArguments(`warning: ${path} is not a workflow that can be read: ${problem}`, [path]));
  }
  if (terminal.json) terminal.write(`${JSON.stringify(shown.map(toJson))}\n`);
  else await printTable(terminal, ["SECRET", "STORED", "WORKFLOW", "TASKS", "FILE"], shown.flatMap(toRows));
  const unused = shown.filter((secret) => secret.users.length === 0).map((secret) => secret.name);
  if (unused.length > 0)
    terminal.note(`note: used by none of ${plural(files.length, "workflow")}: ${unused.join(", ")}`);
  return unread.length > 0 ? EXIT.failed : EXIT.done;
}

function toJson({ name, isStored, users }: UsedSecret): object {
  return {
    name,
    stored: isStored,
    workflows: users.map(({ workflow, path, tasks }) => ({ id: workflow, file: path, tasks })),
  };
}

function toRows({ name, isStored, users }: UsedSecret): string[][] {
  const stored = isStored ? "yes" : "no";
  if (users.length === 0) return [[name, stored, "", "", ""]];
  return users.map(({ workflow, tasks, path }) => [name, stored, workflow, tasks.join(","), path]);
}
