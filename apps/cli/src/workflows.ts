/**
 * Reads, checks and runs workflows. Import it dynamically, when there is a workflow: it is larger than everything else,
 * and the help loads every command.
 *
 * @module
 */
import { corePlugins, describePlugins } from "@autokestra/engine";
import type { CommandContext } from "./command.ts";

export {
  adoptCredentials,
  checkProviders,
  describePlugins,
  drawWorkflow,
  exportWorkflow,
  loadWorkflow,
  openEngine,
  openProviderDiagnosis,
  workflowJsonSchema,
} from "@autokestra/engine";
export { collectInputs, findSecretUsage, listWorkflowFiles } from "@autokestra/engine/internal";

/** The plugins that workflows can use: ours, and those of the configuration. */
export async function allPlugins({ place, runsPath }: CommandContext): ReturnType<typeof describePlugins> {
  const { defaults } = place;
  const configured = defaults === undefined ? [] : await describePlugins(defaults, { ...place, runsPath });
  return [...corePlugins, ...configured];
}
