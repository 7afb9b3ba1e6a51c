/**
 * What reads, checks and runs workflows. Imported where a workflow is at hand, and not before: it is larger than all the rest, and the
 * help loads every command.
 *
 * @module
 */
export { checkProviders, collectInputs, exportWorkflow, loadWorkflow, openEngine } from "@autokestra/engine";
