/**
 * The nouns of autokestra: secret types, the reference grammar, errors, and the interfaces that every other package
 * implements. No input or output happens here.
 *
 * @module
 */

/** The schema library, so that the packages around core need none of their own. */
export { z } from "zod";
export { checkExpiry, type DatedInput, expiryInFields } from "./check-input.ts";
export { createSecretService } from "./create-secret-service.ts";
export {
  AutokestraError,
  type AutokestraErrorOptions,
  type ErrorCode,
  type ErrorDetails,
  type ErrorOf,
  errorCode,
  fieldNotFound,
  hasCode,
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
export type {
  CallLimits,
  ExternalSecretProvider,
  Lease,
  LeaseSession,
  ProvidedSecret,
  ProviderAnswer,
  ProviderCapabilities,
  ProviderLeases,
  ProviderRequest,
  ProviderStatus,
} from "./external-provider.ts";
export {
  type FieldSecrecy,
  type FlagChange,
  parsePayload,
  type SecretPayload,
  secrecyOf,
  toCurrentPayload,
} from "./field-secrecy.ts";
export type { KeySearch, MasterKey, MasterKeyProvider, Stretching } from "./master-key-provider.ts";
export { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
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
  metadataToJson,
  readEncryptedSecret,
  tagProblem,
} from "./metadata.ts";
export type { EncryptedSecret, Envelope, FieldFlags, Secret, SecretInput, SecretMetadata } from "./secret.ts";
export type {
  EncryptedBatch,
  Plaintext,
  RecordIdentity,
  SecretEncryption,
  UnencryptedSecret,
} from "./secret-encryption.ts";
export type { MaskCount, SecretMasker } from "./secret-masker.ts";
export { IDENTIFIER, isIdentifier, isReserved, parseSecretName, type SecretName } from "./secret-name.ts";
export {
  type DeleteOptions,
  type EditOptions,
  type GetOptions,
  MAX_SECRET_LENGTH,
  RETENTION_DAYS,
  type RestoreOptions,
  type SecretDescription,
  type SecretEdit,
  type SecretService,
  type SecretServiceOptions,
  type WriteOptions,
} from "./secret-service.ts";
export type {
  AskedSource,
  Explanation,
  FoundSecret,
  LeaseEvent,
  LookupOptions,
  NotFound,
  ResolvedSecret,
  RunLeases,
  ScopeOptions,
  SecretAnswer,
  SecretBinding,
  SecretResolver,
  SecretScope,
  SecretSource,
  SourceAnswer,
  SourceFailure,
  SourceFallback,
  SourceLeases,
  SourcePolicy,
} from "./secret-source.ts";
export {
  type Anchor,
  type BulkInsert,
  DEFAULT_MAX_VERSIONS,
  type ExclusiveLock,
  type ExpectedSecret,
  type FileBackup,
  type IdPage,
  type PutOptions,
  type ReencryptedSecret,
  requireAbilities,
  type SecretFilter,
  type SecretRewrite,
  type SecretStore,
  type SecretWrite,
  type StoreAbilities,
  type StoreLayout,
} from "./secret-store.ts";
export {
  type FieldValue,
  fieldsToGive,
  parseFields,
  parseSecretType,
  primaryField,
  SECRET_TYPES,
  type SecretFields,
  type SecretType,
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
  passesFilter,
  type StoredSecrets,
  type StoredState,
  secretExists,
  selectSecrets,
  spreadCurrent,
} from "./store-rules.ts";
export {
  formatReference,
  holdsToken,
  parseReference,
  parseTemplate,
  type Reference,
  type ReferenceResult,
  type Template,
  type TemplatePart,
  type TemplateProblem,
} from "./template.ts";
export { isBefore, isTimestamp, parseMoment, parseTimestamp, TIME_EXAMPLES, type Timestamp } from "./time.ts";
