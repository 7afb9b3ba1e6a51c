import { checkWorkflow, loadWorkflow, type Problem, WorkflowError } from "@autokestra/engine";
import { AutokestraError, type SecretSource } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { EXIT } from "../exit-code.ts";
import { hideArguments } from "../rejected-input.ts";
import { createSources } from "./run.ts";

export interface CheckOptions {
  /** `--no-env` makes it false. */
  readonly env: boolean;
}

/** What is found in one file. */
interface Finding {
  readonly file: string;
  readonly problems: readonly Problem[];
  /** Code frames, for people. */
  readonly frames: string;
}

/** Errors that are about the file, or about what it asks for; all others end the command. */
const FINDINGS = new Set([
  "WORKFLOW_NOT_FOUND",
  "WORKFLOW_INVALID",
  "SECRETS_MISSING",
  "SOURCE_FAILED",
  "INTEGRITY_FAILED",
]);

/** Checks workflows without running them. Returns the exit code. */
export async function check(context: CommandContext, files: readonly string[], { env }: CheckOptions): Promise<number> {
  const { terminal } = context;
  const findings = await withSecrets(context, false, async (secrets) => {
    const sources = createSources(secrets, env);
    const found: Finding[] = [];
    for (const file of files) found.push(await checkFile(file, sources));
    return found;
  });
  const text = terminal.json
    ? `${JSON.stringify(findings.map(({ file, problems }) => ({ file, problems })))}\n`
    : findings.map(formatFinding).join("");
  terminal.write(hideArguments(text, files));
  return findings.some(({ problems }) => problems.length > 0) ? EXIT.failed : EXIT.done;
}

async function checkFile(file: string, sources: readonly SecretSource[]): Promise<Finding> {
  try {
    const problems = await checkWorkflow(await loadWorkflow(file), { sources });
    return { file, problems, frames: "" };
  } catch (error) {
    if (error instanceof WorkflowError) return { file, problems: error.problems, frames: error.frames };
    if (!(error instanceof AutokestraError) || !FINDINGS.has(error.code)) throw error;
    const { code, message, hint } = error;
    return { file, problems: [{ code, message, hint }], frames: "" };
  }
}

function formatFinding({ file, problems, frames }: Finding): string {
  const [first] = problems;
  if (first === undefined) return `${file}: ok\n`;
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const details = frames === "" ? problems.map(({ message }) => message).join("\n") : `${first.message}\n${frames}`;
  const hints = new Set(problems.flatMap(({ hint }) => (hint === undefined ? [] : [`hint: ${hint}\n`])));
  return `${file}: ${count}\n${details}\n${[...hints].join("")}`;
}
