import type { EncryptedSecret } from "@autokestra/secrets-core";
import type { Version1Content } from "@autokestra/secrets-core/testing";
import type { Database } from "@autokestra/sqlite";
import { openDatabase } from "../../sqlite/test/open-database.ts";

/** What version 1 has made a database of, to the letter. */
const SCHEMA = `
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
`;

/** Makes a database of version 1. */
export function makeVersion1(path: string, { header, secrets }: Version1Content): void {
  const database = openDatabase(path);
  database.pragma("journal_mode = WAL");
  database.pragma("application_id = 0x616b7374");
  database.exec(SCHEMA);
  database.pragma("user_version = 1");
  if (header !== null) database.prepare("INSERT INTO header VALUES (1, ?)").run(header);
  for (const secret of secrets) insertVersion1(database, secret);
  database.close();
}

/** Puts the next version of a secret as a process of version 1 does. */
export function insertVersion1(database: Database, { metadata, envelope }: EncryptedSecret): void {
  const retire = "UPDATE secrets SET is_current = 0, deleted_at = NULL WHERE name = ? AND is_current = 1";
  const insert = `
    INSERT INTO secrets VALUES (@id, @name, @type, @description, @tags, @version, 1, @createdAt, @updatedAt, @expiresAt,
      @deletedAt, @format, @keyId, @nonce, @tag, @ciphertext)`;
  database.immediate(() => {
    database.prepare(retire).run(metadata.name);
    database.prepare(insert).run({ ...metadata, tags: JSON.stringify(metadata.tags), ...envelope });
  });
}
