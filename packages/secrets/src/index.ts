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
export { type BackupReport, backUpStore } from "./back-up.ts";
export { diagnose, type Finding } from "./doctor.ts";
export { type PlaceDefaults, type PlaceOptions, runsFile, storeFolder } from "./folders.ts";
export * from "./import/index.ts";
export { type Location, locationText } from "./location.ts";
export { keyOptions, openSecrets, openSecretsManager, type SecretsManager, type SecretsOptions } from "./manager.ts";
export { type MigrationReport, migrateStore } from "./migrate.ts";
export { type OpenedStore, openStore, type StoreOptions } from "./open-store.ts";
export { type RestoreReport, restoreBackup } from "./restore.ts";
export { type RotateOptions, type RotateReport, rotateKeys } from "./rotate.ts";
