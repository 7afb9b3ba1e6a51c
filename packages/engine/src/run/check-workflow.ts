import { corePlugins } from "@autokestra/plugins-core";
import type { ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { Problem } from "../workflow/problem.ts";
import { type PrepareOptions, prepareRun } from "./prepare-run.ts";

/** `plugins` default to the core plugins. */
export type CheckOptions = Pick<PrepareOptions, "sources"> & Partial<Pick<PrepareOptions, "plugins">>;

/**
 * Does all that a run does before its first task, and stops there.
 *
 * @returns what would not stop the run, but should be mended: expired secrets
 * @throws what would stop the run, as `prepareRun` does
 */
export async function checkWorkflow(
  parsed: ParsedWorkflow,
  { sources, plugins = corePlugins }: CheckOptions,
): Promise<readonly Problem[]> {
  const { scope, warnings } = await prepareRun(parsed, { sources, plugins });
  scope.close();
  return warnings;
}
