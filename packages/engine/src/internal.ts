/**
 * What only autokestra's own packages share: no promise is made about it.
 *
 * @module
 */
export { type MaskedPart, maskedParts } from "@autokestra/secrets-masker";
export { collectInputs, type SecretInputSources } from "./run/inputs.ts";
export { findSecretUsage, listWorkflowFiles, type SecretUsage, type SecretUser } from "./run/secret-usage.ts";
export { findUnmaskable } from "./run/sources.ts";
export { isWorkflowFile, workflowFile } from "./workflow/parse-workflow.ts";
