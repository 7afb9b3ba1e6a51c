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
} from "./errors.ts";
export { parsePayload, secrecyOf, toCurrentPayload } from "./field-secrecy.ts";
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
  readEncryptedSecret,
  tagProblem,
} from "./metadata.ts";
export { formatReference, parseReference, readLiteral } from "./reference.ts";
export { IDENTIFIER, isIdentifier, isReserved } from "./secret-name.ts";
export {
  allowedTaskTypes,
  allowsTaskType,
  changePolicy,
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
} from "./store-rules.ts";
export { isBefore, isTimestamp, parseDuration, parseMoment, parsePast, parseTimestamp, TIME_EXAMPLES } from "./time.ts";
export { isUrl } from "./url.ts";
