import type { Envelope, SecretMetadata, SecretName } from "@autokestra/secrets-core";
import type { Database, Statement } from "better-sqlite3";
import { METADATA_COLUMNS, type MetadataRow, SEALED_COLUMNS, type SealedRow } from "./sealed-row.ts";

/** Which version, and its new envelope. */
type ResealRow = Pick<SecretMetadata, "id" | "name" | "version"> & Envelope;

/** All that a store asks of its database, but lists. */
export interface Statements {
  readonly readHeader: Statement<[], string>;
  readonly insertHeader: Statement<[string]>;
  /** The new header, then the one that must be there. */
  readonly replaceHeader: Statement<[string, string]>;
  readonly current: Statement<[string], SealedRow>;
  readonly currentMetadata: Statement<[string], MetadataRow>;
  readonly versions: Statement<[string], SealedRow>;
  /** 1 where the index of current versions has the name. */
  readonly hasCurrent: Statement<[string], number>;
  /** 1 where the index of all versions has the name. */
  readonly hasVersion: Statement<[string], number>;
  /** Names behind one, in their order, and how many of them; -1 for all. */
  readonly names: Statement<[string, number], SecretName>;
  readonly insert: Statement<[SealedRow]>;
  /** The current version is an older one from now on. */
  readonly retire: Statement<[string]>;
  /** A name, the same again, and how many versions may stay. */
  readonly trim: Statement<[string, string, number]>;
  readonly reseal: Statement<[ResealRow]>;
  /** When it was deleted, null to restore it, then the name. */
  readonly setDeleted: Statement<[string | null, string]>;
  readonly purge: Statement<[string]>;
  /** Names of what was deleted before a moment. */
  readonly deletedBefore: Statement<[string], SecretName>;
}

/**
 * The rows that an index points to. A join, for otherwise SQLite takes a name that is in the index from there: what a damaged
 * index points to would come under the name that was asked for. Where it points to nothing, all columns are NULL.
 */
export function selectRows(columns: readonly string[], index: string): string {
  const names = columns.map((column) => `row.${column}`);
  return `SELECT ${names.join(", ")} FROM secrets AS entry INDEXED BY ${index} LEFT JOIN secrets AS row ON row.rowid = entry.rowid`;
}

export function prepareStatements(database: Database): Statements {
  function rows<Row>(sql: string): Statement<[string], Row> {
    return database.prepare<[string], Row>(sql).raw(true);
  }

  return {
    readHeader: database.prepare<[], string>("SELECT text FROM header").pluck(),
    insertHeader: database.prepare("INSERT INTO header (id, text) VALUES (1, ?) ON CONFLICT DO NOTHING"),
    replaceHeader: database.prepare("UPDATE header SET text = ? WHERE text = ?"),
    current: rows<SealedRow>(
      `${selectRows(SEALED_COLUMNS, "secrets_current")} WHERE entry.name = ? AND entry.is_current = 1`,
    ),
    currentMetadata: rows<MetadataRow>(
      `${selectRows(METADATA_COLUMNS, "secrets_current")} WHERE entry.name = ? AND entry.is_current = 1`,
    ),
    versions: rows<SealedRow>(
      `${selectRows(SEALED_COLUMNS, "secrets_version")} WHERE entry.name = ? ORDER BY entry.version DESC`,
    ),
    hasCurrent: database
      .prepare<[string], number>("SELECT 1 FROM secrets INDEXED BY secrets_current WHERE name = ? AND is_current = 1")
      .pluck(),
    hasVersion: database
      .prepare<[string], number>("SELECT 1 FROM secrets INDEXED BY secrets_version WHERE name = ? LIMIT 1")
      .pluck(),
    // All versions are looked at: a secret without a current one is damaged, not absent.
    names: database
      .prepare<[string, number], SecretName>(
        "SELECT DISTINCT name FROM secrets INDEXED BY secrets_version WHERE name > ? ORDER BY name LIMIT ?",
      )
      .pluck(),
    insert: database.prepare(
      `INSERT INTO secrets (${SEALED_COLUMNS.join(", ")}) VALUES (${SEALED_COLUMNS.map(() => "?").join(", ")})`,
    ),
    retire: database.prepare("UPDATE secrets SET is_current = 0, deleted_at = NULL WHERE name = ? AND is_current = 1"),
    trim: database.prepare(`
      DELETE FROM secrets INDEXED BY secrets_version WHERE name = ? AND is_current = 0
        AND version <= (SELECT version FROM secrets WHERE name = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`),
    reseal: database.prepare(`
      UPDATE secrets SET format = @format, key_id = @keyId, nonce = @nonce, tag = @tag, ciphertext = @ciphertext
      WHERE name = @name AND version = @version AND id = @id`),
    setDeleted: database.prepare("UPDATE secrets SET deleted_at = ? WHERE name = ? AND is_current = 1"),
    purge: database.prepare("DELETE FROM secrets INDEXED BY secrets_version WHERE name = ?"),
    deletedBefore: database
      .prepare<[string], SecretName>(`
        SELECT name FROM secrets INDEXED BY secrets_deleted
        WHERE is_current = 1 AND deleted_at IS NOT NULL AND deleted_at < ?`)
      .pluck(),
  };
}
