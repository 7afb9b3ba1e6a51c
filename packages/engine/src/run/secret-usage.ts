import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { AutokestraError } from "@autokestra/secrets-core";
import { errorCode, isIdentifier, quoteText } from "@autokestra/secrets-core/internal";
import { isWorkflowFile, type ParsedWorkflow, readFileWorkflow, readSource } from "../workflow/parse-workflow.ts";
import type { WorkflowProblem } from "../workflow/problem.ts";
import { allTasks } from "../workflow/workflow.ts";
import { loadCalls } from "./called-workflows.ts";

/** A workflow that declares or references a secret. */
export interface SecretUser {
  /** The path of its file. */
  readonly path: string;
  /** The id that the file gives itself. */
  readonly workflow: string;
  /** The ids of the tasks that reference the secret, or call a workflow that declares it. Empty if it is only declared. */
  readonly tasks: readonly string[];
}

/** Which workflows use which secrets. */
interface SecretUsage {
  /** By the name of the secret. */
  readonly users: ReadonlyMap<string, readonly SecretUser[]>;
  /** The paths of the files that were read as workflows. */
  readonly files: readonly string[];
  /** What could not be read as a workflow, so that secrets it uses are not known. */
  readonly unread: readonly { readonly path: string; readonly problem: string }[];
}

/**
 * Finds the secrets that workflow files use. Opens no store and reads no value.
 *
 * @param paths the paths of the files; of a file with problems, everything that can be read counts
 */
export async function findSecretUsage(paths: readonly string[]): Promise<SecretUsage> {
  const users = new Map<string, SecretUser[]>();
  const files: string[] = [];
  const unread: { path: string; problem: string }[] = [];
  for (const path of paths) {
    const { parsed, problem } = await read(path);
    if (problem !== undefined) unread.push({ path, problem });
    if (parsed === null) continue;
    files.push(path);
    for (const [name, tasks] of await tasksBySecret(parsed)) {
      users.set(name, [...(users.get(name) ?? []), { path, workflow: parsed.workflow.id, tasks: [...tasks] }]);
    }
  }
  return { users, files, unread };
}

/**
 * Returns the paths of the workflows in a folder and all folders below it, in order: YAML and JSON files that have the
 * word `tasks` in them, or cannot be read. Hidden folders and `node_modules` are left out.
 *
 * @throws AutokestraError `WORKFLOW_NOT_FOUND` if the folder cannot be read
 */
export async function listWorkflowFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    const code = errorCode(error) || "unknown error";
    throw new AutokestraError("WORKFLOW_NOT_FOUND", `The folder ${quoteText(folder)} cannot be read (${code})`);
  });
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const found = await Promise.all(
    sorted.map(async (entry) => {
      if (entry.name.startsWith(".") || entry.name === "node_modules") return [];
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return await listWorkflowFiles(path);
      return isWorkflowFile(entry.name) && (await mayBeWorkflow(path)) ? [path] : [];
    }),
  );
  return found.flat();
}

async function mayBeWorkflow(path: string): Promise<boolean> {
  return await readSource(path).then(
    (source) => /\btasks\b/.test(source),
    () => true,
  );
}

/** Undefined for a workflow without problems that could hide the use of a secret. */
async function read(path: string): Promise<{ parsed: ParsedWorkflow | null; problem?: string }> {
  try {
    const { parsed, problems } = await readFileWorkflow(path);
    const problem = problems.find(hidesUses);
    return { parsed, ...(problem !== undefined && { problem: problem.message }) };
  } catch (error) {
    if (error instanceof AutokestraError) return { parsed: null, problem: error.message };
    throw error;
  }
}

/** A reference that is not declared is found all the same; what has not its shape may hide others. */
function hidesUses({ code }: WorkflowProblem): boolean {
  return code === "WORKFLOW_INVALID";
}

/** The ids of the tasks that use each secret of a workflow, as {@link SecretUser} has them, by the name of the secret. */
export async function tasksBySecret(parsed: ParsedWorkflow): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { workflow, references } = parsed;
  const { calls } = await loadCalls(parsed);
  const found = new Map<string, Set<string>>(workflow.secrets.map((name) => [name, new Set()]));
  const add = (name: string, task: string | undefined) => {
    if (!isIdentifier(name)) return;
    const tasks = found.get(name) ?? new Set();
    found.set(name, task === undefined ? tasks : tasks.add(task));
  };
  for (const { owner, result } of references) {
    if ("reference" in result && result.reference.root === "secrets") add(result.reference.name, owner?.task.id);
  }
  for (const { task } of allTasks(workflow)) {
    for (const name of calls.get(task.id)?.parsed.workflow.secrets ?? []) add(name, task.id);
  }
  return found;
}
