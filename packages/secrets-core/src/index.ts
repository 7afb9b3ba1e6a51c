/**
 * The nouns of autokestra: secret types, the reference grammar, errors, and the interfaces that every other package
 * implements. No input or output happens here.
 *
 * @module
 */

/** The schema library that core itself uses, so that the packages around it need none of their own. */
export { z } from "zod";
export type { DatedInput } from "./check-input.ts";
export { isMetadata } from "./check-metadata.ts";
export { checkSealedSecret } from "./check-sealed-secret.ts";
export { createSecretService } from "./create-secret-service.ts";
export {
  AutokestraError,
  type AutokestraErrorOptions,
  type ErrorCode,
  errorCode,
  fieldNotFound,
  hasCode,
  integrityFailed,
  quoteText,
  secretDeleted,
  secretNotDeclared,
  secretNotFound,
  secretsMissing,
  versionNotFound,
} from "./errors.ts";
export type { MasterKey, MasterKeyProvider, PendingKey } from "./master-key-provider.ts";
export { createMemoryStore } from "./memory-store.ts";
export { plural } from "./plural.ts";
export { formatReference, parseReference, type Reference, type ReferenceResult } from "./reference.ts";
export {
  descriptionSchema,
  type Envelope,
  envelopeSchema,
  type SealedSecret,
  type Secret,
  type SecretInput,
  type SecretMetadata,
  sealedSecretSchema,
  secretMetadataSchema,
  tagSchema,
} from "./secret.ts";
export type { Plaintext, RecordIdentity, SealResult, SecretEncryption } from "./secret-encryption.ts";
export type { MaskCount, SecretMasker } from "./secret-masker.ts";
export { IDENTIFIER, isIdentifier, parseSecretName, type SecretName, secretNameSchema } from "./secret-name.ts";
export type { ResolvedSecret, SecretResolver, SecretScope } from "./secret-resolver.ts";
export {
  type DeleteOptions,
  type GetOptions,
  MAX_SECRET_LENGTH,
  RESTORABLE_DAYS,
  type SecretService,
  type SecretServiceOptions,
  type WriteOptions,
} from "./secret-service.ts";
export type { FoundSecret, SecretSource, SourceAnswer } from "./secret-source.ts";
export {
  KEPT_VERSIONS,
  type NamePage,
  type PutOptions,
  type SecretFilter,
  type SecretStore,
  type SecretStoreFile,
  type SecretWrite,
} from "./secret-store.ts";
export {
  type FieldValue,
  parseFields,
  primaryField,
  REQUIRED_FIELDS,
  type SecretFields,
  type SecretType,
  secretTypeSchema,
} from "./secret-type.ts";
export {
  quotePath,
  secretCorrupt,
  storeClosed,
  storeCorrupt,
  storeTooNew,
  storeUnavailable,
} from "./store-errors.ts";
export { checkHeader, checkHistory, checkWrite, passesFilter, selectSecrets } from "./store-rules.ts";
export { parseTemplate, type Template, type TemplatePart, type TemplateProblem } from "./template.ts";
export { isBefore, parseTimestamp, type Timestamp } from "./time.ts";
