export type { ImportEntry, ImportedSecret, ImportFailure, ImportWarning } from "./import-entry.ts";
export type { ImportReport } from "./import-report.ts";
export { type ImportOutcome, type ImportSecretsOptions, importSecrets } from "./import-secrets.ts";
export type { OnConflict } from "./plan-import.ts";
export { readDotenv } from "./read-dotenv.ts";
export { type FernetDatabasePaths, readFernetDatabase } from "./read-fernet-database.ts";
export { readJson } from "./read-json.ts";
export { readSourceText, readTextFile } from "./read-text-file.ts";
