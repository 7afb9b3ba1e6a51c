/**
 * What only autokestra's own packages share: no promise is made about it.
 *
 * @module
 */
export { type MaskedPart, maskedParts } from "@autokestra/secrets-masker";
export { type WorkflowGraph, workflowGraph } from "./graph/workflow-graph.ts";
export { collectInputs } from "./run/inputs.ts";
export {
  findSecretUsage,
  listWorkflowFiles,
  type SecretUser,
  tasksBySecret,
} from "./run/secret-usage.ts";
export { findUnmaskable } from "./run/sources.ts";
export { isWorkflowFile, workflowFile } from "./workflow/parse-workflow.ts";
