/**
 * What only autokestra's own packages share: no promise is made about it.
 *
 * @module
 */
export { takeKeyVariable } from "@autokestra/secrets-crypto";
