import type { StoreLayout } from "@autokestra/secrets-core";
import { storeCorrupt, storeTooNew } from "@autokestra/secrets-core/internal";
import type { Database } from "@autokestra/sqlite";
import { ROWS } from "./rows.ts";

/** `akst`: marks a database as a secret store. See https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x616b7374;

/**
 * The tables of layout 2, the `user_version` of the database. `secret_versions` has one row for each version; the
 * namespace is always ''. All indexes except the first three are ordered by name, so that a page of a list is a range
 * of one of them.
 */
const TABLES = `
  CREATE TABLE store_header (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    text TEXT NOT NULL
  ) STRICT;

  CREATE TABLE secret_versions (
    ${ROWS.definitions.join(",\n    ")}
  ) STRICT;

  CREATE TABLE anchors (
    name    TEXT PRIMARY KEY,
    counter INTEGER NOT NULL,
    text    TEXT NOT NULL,
    mac     TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

const INDEXES = `
  CREATE UNIQUE INDEX versions_by_id ON secret_versions (id, version);
  CREATE UNIQUE INDEX current_by_id ON secret_versions (id) WHERE is_current = 1;
  CREATE UNIQUE INDEX living_by_name ON secret_versions (namespace, name)
    WHERE is_current = 1 AND deleted_at IS NULL;
  CREATE INDEX current_by_name ON secret_versions (namespace, name, id) WHERE is_current = 1;
  CREATE INDEX current_by_type ON secret_versions (namespace, type, name, id) WHERE is_current = 1;
  CREATE INDEX current_by_expiry ON secret_versions (namespace, name, id, expires_at)
    WHERE is_current = 1 AND expires_at IS NOT NULL;
  CREATE INDEX deleted_by_name ON secret_versions (namespace, name, id, deleted_at)
    WHERE is_current = 1 AND deleted_at IS NOT NULL;
`;

/** An index that came later than layout 2: a database has it after its first write by a version that knows it. */
export const IMPORTED_INDEX = "current_by_imported_id";

/** Adds what came later than the layout. Versions that do not know it keep it up to date all the same, as SQLite does. */
export function completeSchema(database: Database): void {
  database.exec(`
    CREATE INDEX IF NOT EXISTS ${IMPORTED_INDEX} ON secret_versions (namespace, imported_id, name, id)
      WHERE is_current = 1 AND imported_id IS NOT NULL;
  `);
}

/** Makes a secret store of an empty database. */
export function createSchema(database: Database): void {
  database.pragma(`application_id = ${APPLICATION_ID}`);
  createTables(database, "");
}

/**
 * Creates the tables of layout 2 in a database that is a secret store.
 *
 * @param fill SQL that runs before the indexes are created, which then takes a tenth of the time
 */
export function createTables(database: Database, fill: string): void {
  database.exec(TABLES);
  database.exec(fill);
  database.exec(INDEXES);
  completeSchema(database);
  database.pragma("user_version = 2");
}

/**
 * Returns the layout of a database. Writes nothing.
 *
 * @throws AutokestraError `STORE_TOO_NEW`, `STORE_CORRUPT`
 */
export function readLayout(database: Database, path: string): StoreLayout {
  const applicationId = database.pragma("application_id");
  const version = Number(database.pragma("user_version"));
  if (applicationId !== APPLICATION_ID) throw storeCorrupt(path, "it is a database of another program");
  if (version > 2) throw storeTooNew(path, "schema", version, 2);
  if (version !== 1 && version !== 2) throw storeCorrupt(path, "it is not laid out as it should be");
  return version;
}
