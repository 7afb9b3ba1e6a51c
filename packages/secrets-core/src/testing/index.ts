/**
 * For authors of stores: what every {@link SecretStore} must do, as tests.
 *
 * @module
 */
export { sampleSecret } from "./sample-secret.ts";
export { type StoreContractOptions, secretStoreContract } from "./store-contract.ts";
