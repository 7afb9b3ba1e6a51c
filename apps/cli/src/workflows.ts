/**
 * Reads, checks and runs workflows. Import it dynamically, when there is a workflow: it is larger than everything else,
 * and the help loads every command.
 *
 * @module
 */
export {
  adoptCredentials,
  checkProviders,
  drawWorkflow,
  exportWorkflow,
  loadWorkflow,
  openEngine,
  openProviderDiagnosis,
} from "@autokestra/engine";
export { collectInputs, findSecretUsage, listWorkflowFiles } from "@autokestra/engine/internal";
