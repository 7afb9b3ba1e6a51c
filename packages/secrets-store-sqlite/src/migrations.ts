import { storeCorrupt, storeTooNew } from "@autokestra/secrets-core";
import type { Database } from "better-sqlite3";

/** `akst`: marks a database as a secret store. See https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x616b7374;

/**
 * The steps from nothing to today's schema. Never change one that was released: add the next.
 *
 * `secrets` has a row per version. When a secret was deleted stands in its current row alone. Each index has the names in order:
 * a page of a list is a piece of one of them.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE header (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    text TEXT NOT NULL
  ) STRICT;

  CREATE TABLE secrets (
    id          TEXT NOT NULL,
    name        TEXT NOT NULL,
    type        TEXT NOT NULL,
    description TEXT,
    tags        TEXT NOT NULL,
    version     INTEGER NOT NULL,
    is_current  INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    created_at  TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    expires_at  TEXT,
    deleted_at  TEXT CHECK (is_current OR deleted_at IS NULL),
    format      INTEGER NOT NULL,
    key_id      TEXT NOT NULL,
    nonce       BLOB NOT NULL,
    tag         BLOB NOT NULL,
    ciphertext  BLOB NOT NULL
  ) STRICT;

  CREATE UNIQUE INDEX secrets_version ON secrets (name, version);
  CREATE UNIQUE INDEX secrets_current ON secrets (name) WHERE is_current = 1;
  CREATE INDEX secrets_type ON secrets (type, name) WHERE is_current = 1;
  CREATE INDEX secrets_expiry ON secrets (name, expires_at) WHERE is_current = 1 AND expires_at IS NOT NULL;
  CREATE INDEX secrets_deleted ON secrets (name, deleted_at) WHERE is_current = 1 AND deleted_at IS NOT NULL;
  `,
];

/** The schema of a secret store in an empty database. */
export function createSchema(database: Database): void {
  database.pragma(`application_id = ${APPLICATION_ID}`);
  applyMigrations(database, 0, MIGRATIONS);
}

/**
 * Brings an existing database to the newest schema. Many processes may do this at once: the first one migrates, the others
 * find it done. Writes nothing into a database that is newer or somebody else's.
 *
 * @throws AutokestraError `STORE_TOO_NEW`, `STORE_CORRUPT`
 */
export function migrate(database: Database, path: string, migrations: readonly string[] = MIGRATIONS): void {
  if (readVersion(database, path, migrations.length) === migrations.length) return;
  const upgrade = database.transaction(() => {
    applyMigrations(database, readVersion(database, path, migrations.length), migrations);
  });
  upgrade.immediate();
}

function readVersion(database: Database, path: string, newest: number): number {
  const applicationId = database.pragma("application_id", { simple: true });
  const version = Number(database.pragma("user_version", { simple: true }));
  if (applicationId !== APPLICATION_ID) throw storeCorrupt(path, "it is a database of another program");
  if (version > newest) throw storeTooNew(path, "schema", version, newest);
  return version;
}

function applyMigrations(database: Database, from: number, migrations: readonly string[]): void {
  for (const sql of migrations.slice(from)) database.exec(sql);
  database.pragma(`user_version = ${migrations.length}`);
}
