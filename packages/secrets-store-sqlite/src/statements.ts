import type { Database, Statement } from "better-sqlite3";
import type { MetadataRow, SealedRow } from "./sealed-row.ts";

/** All that a store asks of its database. */
export interface Statements {
  readonly readHeader: Statement<[], string>;
  readonly insertHeader: Statement<[string]>;
  /** The new header, then the one that must be there. */
  readonly replaceHeader: Statement<[string, string]>;
  readonly get: Statement<[string], SealedRow>;
  /** 1 where a look at every row finds the name. */
  readonly isListed: Statement<[string], number>;
  readonly getMetadata: Statement<[string], MetadataRow>;
  /** `tags` is a JSON array. */
  readonly list: Statement<[{ type: string | null; tags: string }], MetadataRow>;
  readonly put: Statement<[SealedRow]>;
  readonly delete: Statement<[string]>;
}

const METADATA = `id, name, type, description, tags, version,
  created_at AS createdAt, updated_at AS updatedAt, expires_at AS expiresAt`;

export function prepareStatements(database: Database): Statements {
  return {
    readHeader: database.prepare<[], string>("SELECT text FROM header").pluck(),
    insertHeader: database.prepare("INSERT INTO header (id, text) VALUES (1, ?) ON CONFLICT DO NOTHING"),
    replaceHeader: database.prepare("UPDATE header SET text = ? WHERE text = ?"),
    get: database.prepare(`
      SELECT ${METADATA}, format, key_id AS keyId, nonce, tag, ciphertext
      FROM secrets WHERE name = ?`),
    // Past the index: where it is damaged, a secret that is there must not count as absent.
    isListed: database.prepare<[string], number>("SELECT 1 FROM secrets NOT INDEXED WHERE name = ?").pluck(),
    getMetadata: database.prepare(`SELECT ${METADATA} FROM secrets WHERE name = ?`),
    // A secret passes if no wanted tag is missing from its own.
    list: database.prepare(`
      SELECT ${METADATA} FROM secrets
      WHERE (@type IS NULL OR type = @type)
        AND NOT EXISTS (
          SELECT 1 FROM json_each(@tags) AS wanted
          WHERE wanted.value NOT IN (SELECT value FROM json_each(secrets.tags))
        )
      ORDER BY name`),
    put: database.prepare(`
      REPLACE INTO secrets (
        id, name, type, description, tags, version, created_at, updated_at, expires_at,
        format, key_id, nonce, tag, ciphertext
      ) VALUES (
        @id, @name, @type, @description, @tags, @version, @createdAt, @updatedAt, @expiresAt,
        @format, @keyId, @nonce, @tag, @ciphertext
      )`),
    delete: database.prepare("DELETE FROM secrets WHERE name = ?"),
  };
}
