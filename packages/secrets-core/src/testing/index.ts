/**
 * For authors of stores: what every {@link SecretStore} must do, as tests.
 *
 * @module
 */
export { putSecret } from "./contract-tools.ts";
export { sampleId, sampleSecret } from "./sample-secret.ts";
export { type StoreContractOptions, secretStoreContract } from "./store-contract.ts";
export { type StoreFileContractOptions, secretStoreFileContract } from "./store-file-contract.ts";
export type { Version1Content } from "./upgrade-contract.ts";
