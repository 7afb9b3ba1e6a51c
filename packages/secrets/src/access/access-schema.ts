import type { Refuse } from "@autokestra/private-files";
import type { Database } from "@autokestra/sqlite";

/** The name of the database in the folder of the secrets. */
export const ACCESS_FILE = "access.db";

/** `akac` in ASCII: marks a database as one of tokens and audit records. */
const APPLICATION_ID = 0x616b6163;
const SCHEMA_VERSION = 1;

/**
 * `audit`: one row for each record, which names the SHA-256 of the one before; docs/FORMAT.md describes it. `secret_fields` is a
 * JSON array. `tokens`: no row has a token, only its hash; `prefixes` and `tags` are JSON arrays, or NULL where it is not narrowed.
 */
const TABLES = `
  CREATE TABLE audit (
    seq            INTEGER PRIMARY KEY CHECK (seq > 0),
    time           TEXT NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT,
    actor_address  TEXT,
    action         TEXT NOT NULL,
    secret_name    TEXT,
    secret_id      TEXT,
    secret_version TEXT,
    secret_fields  TEXT,
    outcome        TEXT NOT NULL,
    source         TEXT,
    request_id     TEXT,
    execution      TEXT,
    prev           TEXT NOT NULL,
    mac            TEXT
  ) STRICT;

  CREATE TABLE tokens (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    role           TEXT NOT NULL,
    hash           BLOB NOT NULL UNIQUE,
    prefixes       TEXT,
    tags           TEXT,
    created_at     TEXT NOT NULL,
    expires_at     TEXT,
    last_used_on   TEXT,
    epoch          INTEGER NOT NULL,
    mac            TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

export function createSchema(database: Database): void {
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}; ${TABLES}`);
}

/** @throws what `refuse` returns, where it is another database, or one of a later version */
export function checkSchema(database: Database, refuse: Refuse): void {
  const version = Number(database.pragma("user_version"));
  if (database.pragma("application_id") !== APPLICATION_ID || version < 1) {
    throw refuse("it is a database of another program");
  }
  if (version > SCHEMA_VERSION) {
    throw refuse("a newer version of autokestra has written it", "Use that version. Nothing was changed.");
  }
}
