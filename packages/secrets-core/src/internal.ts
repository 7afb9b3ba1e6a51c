/**
 * What only autokestra's own packages share. It may change in any release.
 *
 * @module
 */
/** The schema library, so that the packages around core need none of their own. */
export { z } from "zod";
export { checkExpiry } from "./check-input.ts";
export {
  errorCode,
  fieldNotFound,
  integrityFailed,
  plural,
  quotePath,
  quoteText,
  secretCorrupt,
  secretDeleted,
  secretNotDeclared,
  secretNotFound,
  secretsMissing,
  storeClosed,
  storeCorrupt,
  storeTooNew,
  storeUnavailable,
  versionNotFound,
} from "./errors.ts";
export { parsePayload, type SecretPayload, secrecyOf, toCurrentPayload } from "./field-secrecy.ts";
export { findTokens, holdsToken, type TextSpan } from "./known-token.ts";
export {
  checkEncryptedSecret,
  copyMetadata,
  createMetadataReader,
  descriptionProblem,
  fieldNames,
  isMetadata,
  isUuid,
  METADATA_FIELDS,
  type MetadataField,
  type MetadataFields,
  type MetadataReader,
  readEncryptedSecret,
  tagProblem,
} from "./metadata.ts";
export { formatReference, parseReference, readLiteral } from "./reference.ts";
export { IDENTIFIER, isIdentifier, isReserved } from "./secret-name.ts";
export {
  ALLOW_RULES,
  allowedTaskTypes,
  allowsTaskType,
  changePolicy,
  parsePolicy,
  readPolicy,
} from "./secret-policy.ts";
export { MAX_SECRET_LENGTH } from "./secret-service.ts";
export { DEFAULT_MAX_VERSIONS, requireAbilities } from "./secret-store.ts";
export {
  type FieldForm,
  type FieldValue,
  fieldRules,
  fieldsOfValue,
  fieldsToGive,
  parseSecretType,
  primaryField,
  suggestSecretType,
} from "./secret-type.ts";
export {
  type CheckedWrite,
  checkAnchor,
  checkHeader,
  checkRewrite,
  checkVersions,
  checkWrites,
  compareSecrets,
  dataKeyInUse,
  isReencryptable,
  layoutTooOld,
  onAllPages,
  passesFilter,
  type StoredSecrets,
  type StoredState,
  secretExists,
  selectSecrets,
  spreadCurrent,
} from "./store-rules.ts";
export { isBefore, isTimestamp, parseDuration, parseMoment, parsePast, parseTimestamp, TIME_EXAMPLES } from "./time.ts";
export { isUrl } from "./url.ts";
