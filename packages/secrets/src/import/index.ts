export { readDotenv } from "./dotenv.ts";
export type { ImportEntry, ImportedSecret, ImportFailure, ImportWarning } from "./entries.ts";
export { type FernetDatabasePaths, readFernetDatabase } from "./fernet-database.ts";
export type { ImportReport, OnConflict } from "./import-secrets.ts";
export { type ImportOutcome, type ImportSecretsOptions, importSecrets } from "./import-secrets.ts";
export { readJson } from "./json.ts";
export { readSourceText, readTextFile } from "./text-file.ts";
