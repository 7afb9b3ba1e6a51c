/**
 * Opens the secrets of a folder, and manages all of them together: keys, rotation, backups, migration, imports,
 * diagnosis.
 *
 * @module
 */

export { createMasterKeyProvider, KEY_VARIABLE } from "@autokestra/secrets-crypto";
export {
  exportKey,
  type ImportedKey,
  importKey,
  type KeyList,
  type ListedKey,
  listKeys,
  type MissingKey,
} from "@autokestra/secrets-crypto/internal";
export {
  AUDIT_ACTIONS,
  type AuditAction,
  type AuditActor,
  type AuditEvent,
  type AuditedSecret,
  type AuditFilter,
  type AuditLog,
  type AuditOutcome,
  type AuditProblem,
  type AuditRecord,
  type AuditReport,
  type AuditState,
} from "./access/audit-event.ts";
export { type AuditStatistics, auditStatistics, CSV_HEADER, toCsv } from "./access/audit-report.ts";
export type { AuditSettings, AuditSinkSettings } from "./access/audit-settings.ts";
export type { AuditContext } from "./access/audited-service.ts";
export { diagnoseAudit } from "./access/diagnose-audit.ts";
export {
  isNarrowed,
  isVisible,
  PERMISSIONS,
  type Permission,
  ROLES,
  type Roles,
  type Visibility,
  visibleOnly,
} from "./access/permissions.ts";
export type { TokenMetadata } from "./access/token-rows.ts";
export {
  type CreatedToken,
  type ListedToken,
  type NewToken,
  type OpenedTokens,
  openTokens,
  type Tokens,
} from "./access/tokens.ts";
export { type BackupReport, backUpStore } from "./back-up.ts";
export {
  type BackupSchedule,
  backUpIfDue,
  checkSchedule,
  listBackups,
  nextBackupAt,
  type ScheduledBackup,
} from "./backup-folder.ts";
export { type RenewDataKeyOptions, renewDataKey } from "./data-key.ts";
export { diagnosePlanted } from "./diagnose-planted.ts";
export { diagnose, type Finding } from "./doctor.ts";
export type { BackupEncryption, BackupIdentities } from "./encrypted-backup.ts";
export type { LocationOptions, OptionDefaults } from "./folders.ts";
export { readDotenv } from "./import/dotenv.ts";
export type { ImportEntry, ImportedSecret, ImportFailure, ImportWarning } from "./import/entries.ts";
export { type FernetDatabasePaths, readFernetDatabase } from "./import/fernet-database.ts";
export type { ImportReport, OnConflict } from "./import/import-secrets.ts";
export { type ImportOutcome, type ImportSecretsOptions, importSecrets } from "./import/import-secrets.ts";
export { readJson } from "./import/json.ts";

export { type KeyDates, readKeyDates } from "./key-dates.ts";
export { type Location, locationText } from "./location.ts";
export { openSecrets, openSecretsManager, type SecretsManager, type SecretsOptions } from "./manager.ts";
export { type MigrationReport, migrateStore } from "./migrate.ts";
export type { StoreOptions } from "./open-store.ts";
export { type RestoreOptions, type RestoreReport, restoreBackup } from "./restore.ts";
export { type RotateOptions, type RotateReport, rotateKeys } from "./rotate.ts";
