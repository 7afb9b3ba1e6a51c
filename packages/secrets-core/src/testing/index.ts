/**
 * For authors of stores: tests of what every `SecretStore` must do, and of what its abilities promise.
 *
 * @module
 */
export { bulkInsertContract } from "./bulk-insert-contract.ts";
export { type AbilityContractOptions, putSecret } from "./contract-tools.ts";
export { exclusiveLockContract } from "./exclusive-lock-contract.ts";
export { type FileBackupContractOptions, fileBackupContract } from "./file-backup-contract.ts";
export { sampleId, sampleSecret } from "./sample-secret.ts";
export { type StoreContractOptions, secretStoreContract } from "./store-contract.ts";
export type { Version1Content } from "./upgrade-contract.ts";
