/**
 * Opens the secrets of a place, and does with them what concerns all of them: keys, rotation, backups, moves, imports, diagnosis.
 *
 * @module
 */
export { readText } from "@autokestra/private-files";
export {
  createMasterKeyProvider,
  exportKey,
  type ImportedKey,
  importKey,
  KEY_VARIABLE,
  type KeyList,
  type ListedKey,
  listKeys,
  type MissingKey,
} from "@autokestra/secrets-crypto";
export { type BackupReport, backUpStore } from "./back-up-store.ts";
export { diagnose, type Finding } from "./diagnose.ts";
export * from "./import/index.ts";
export { type Installation, keyOptions, openInstallation, type SecretsOptions } from "./installation.ts";
export { type MigrationReport, migrateStore } from "./migrate-store.ts";
export { openSecrets } from "./open-secrets.ts";
export { type OpenedStore, openStore, type StoreOptions } from "./open-store.ts";
export { type RestoreReport, restoreBackup } from "./restore-backup.ts";
export { type RotateOptions, type RotateReport, rotateKeys } from "./rotate-keys.ts";
export type { Backend } from "./store-backend.ts";
export { type PlaceOptions, runsFile, storeFolder } from "./workflow-folder.ts";
