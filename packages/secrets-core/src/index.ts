/**
 * The vocabulary of autokestra: secret types, the reference grammar, errors, and the interfaces that the other packages
 * implement. It does no input or output.
 *
 * @module
 */

export { type DatedInput, expiryInFields } from "./check-input.ts";
export { createSecretService } from "./create-secret-service.ts";
export {
  AutokestraError,
  type AutokestraErrorOptions,
  type ErrorCode,
  type ErrorDetails,
  type ErrorOf,
  hasCode,
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
export type { FieldSecrecy, FlagChange } from "./field-secrecy.ts";
export type { KeySearch, MasterKey, MasterKeyProvider, Stretching } from "./master-key-provider.ts";
export { createMemoryStore, type MemoryStoreOptions } from "./memory-store.ts";
export { metadataToJson } from "./metadata.ts";
export type { Filter, Literal, Reference, ReferenceResult, ReferenceWithOptions } from "./reference.ts";
export type { EncryptedSecret, Envelope, FieldFlags, Secret, SecretInput, SecretMetadata } from "./secret.ts";
export type {
  EncryptedBatch,
  Plaintext,
  RecordIdentity,
  SecretEncryption,
  UnencryptedSecret,
} from "./secret-encryption.ts";
export type { MaskCount, SecretMasker } from "./secret-masker.ts";
export { parseSecretName, type SecretName } from "./secret-name.ts";
export type { AllowChange, SecretAllow } from "./secret-policy.ts";
export {
  type DeleteOptions,
  type GetOptions,
  type IfStored,
  RETENTION_DAYS,
  type RestoreOptions,
  type SecretDescription,
  type SecretEdit,
  type SecretService,
  type SecretServiceOptions,
  type VerifiedList,
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
export type {
  Anchor,
  BulkInsert,
  ExclusiveLock,
  ExpectedSecret,
  FileBackup,
  IdPage,
  PutOptions,
  ReencryptedSecret,
  SecretFilter,
  SecretRewrite,
  SecretStore,
  SecretWrite,
  StoreAbilities,
  StoreLayout,
} from "./secret-store.ts";
export { parseFields, SECRET_TYPES, type SecretFields, type SecretType } from "./secret-type.ts";

export { parseTemplate, type Template, type TemplatePart, type TemplateProblem } from "./template.ts";
export type { Timestamp } from "./time.ts";
