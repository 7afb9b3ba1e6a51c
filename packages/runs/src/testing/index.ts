/**
 * For authors of ledgers: tests of what every `RunLedger` must do.
 *
 * @module
 */
export type { OpenedLedger } from "./ledger-case.ts";
export { type LedgerContractOptions, runLedgerContract } from "./ledger-contract.ts";
