/**
 * The nouns of autokestra: secret types, the reference grammar, errors, and the interfaces that every other package
 * implements. No input or output happens here.
 *
 * @module
 */

/** The schema library that core itself uses, so that the packages around it need none of their own. */
export { z } from "zod";
export { checkExpiry, type DatedInput } from "./check-input.ts";
export { createSecretService } from "./create-secret-service.ts";
export {
  AutokestraError,
  type AutokestraErrorOptions,
  type ErrorCode,
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
export { checkSealedSecret, isMetadata } from "./metadata.ts";
export {
  descriptionSchema,
  type Envelope,
  envelopeSchema,
  type FieldFlags,
  type SealedSecret,
  type Secret,
  type SecretInput,
  type SecretMetadata,
  sealedSecretSchema,
  secretMetadataSchema,
  tagSchema,
} from "./secret.ts";
export type { Plaintext, RecordIdentity, SealedBatch, SecretEncryption, UnsealedSecret } from "./secret-encryption.ts";
export type { MaskCount, SecretMasker } from "./secret-masker.ts";
export { IDENTIFIER, isIdentifier, parseSecretName, type SecretName, secretNameSchema } from "./secret-name.ts";
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
  FoundSecret,
  ResolvedSecret,
  SecretResolver,
  SecretScope,
  SecretSource,
  SourceAnswer,
} from "./secret-source.ts";
export {
  type Anchor,
  type ExpectedSecret,
  type IdPage,
  KEPT_VERSIONS,
  type PutOptions,
  type ResealedSecret,
  type SecretFilter,
  type SecretRewrite,
  type SecretStore,
  type SecretStoreFile,
  type SecretWrite,
  type StoreLayout,
} from "./secret-store.ts";
export {
  type FieldValue,
  parseFields,
  parseSecretType,
  primaryField,
  REQUIRED_FIELDS,
  SECRET_TYPES,
  type SecretFields,
  type SecretType,
  secretTypeSchema,
  suggestSecretType,
} from "./secret-type.ts";
export {
  type CheckedWrite,
  checkAnchor,
  checkHeader,
  checkHistory,
  checkRewrite,
  checkWrites,
  compareSecrets,
  dataKeyInUse,
  isResealable,
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
export { isBefore, parseMoment, parseTimestamp, TIME_EXAMPLES, type Timestamp } from "./time.ts";
