/**
 * For authors of ledgers: tests of what every `RunLedger` must do.
 *
 * @module
 */
export { type LedgerContractOptions, type OpenedLedger, runLedgerContract } from "./ledger-contract.ts";
