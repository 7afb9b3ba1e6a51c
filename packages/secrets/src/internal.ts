/**
 * What only autokestra's own packages share: no promise is made about it.
 *
 * @module
 */
export { takeKeyVariable } from "@autokestra/secrets-crypto";
export { keepsValue, readsAsWritten } from "./values/exact-number.ts";
export { parseJson } from "./values/parse-json.ts";
