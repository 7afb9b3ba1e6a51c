import type { StoreLayout } from "@autokestra/secrets-core";
import { storeCorrupt, storeTooNew } from "@autokestra/secrets-core/internal";
import type { Database } from "@autokestra/sqlite";
import { ROWS } from "./rows.ts";

/** `akst`: marks a database as a secret store. See https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x616b7374;

/**
 * Today's tables, layout 2, which is the database's `user_version`. `secret_versions` has a row per version, of namespace '' as long
 * as there is one alone. Each index but the first three has the names in order: a page of a list is a piece of one of them.
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

/** A secret store in an empty database. */
export function createSchema(database: Database): void {
  database.pragma(`application_id = ${APPLICATION_ID}`);
  createTables(database, "");
}

/**
 * Makes the tables of layout 2 in a database that is a secret store.
 *
 * @param fill SQL that runs before there are indexes: they are made ten times as fast afterwards
 */
export function createTables(database: Database, fill: string): void {
  database.exec(TABLES);
  database.exec(fill);
  database.exec(INDEXES);
  database.pragma("user_version = 2");
}

/**
 * How a database is laid out at this moment; writes nothing.
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
