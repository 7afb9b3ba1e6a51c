import { keepBackup } from "@autokestra/private-files";
import { type EncryptedSecret, hasCode } from "@autokestra/secrets-core";
import { layoutTooOld } from "@autokestra/secrets-core/internal";
import type { Database } from "@autokestra/sqlite";
import { openCopyInMemory, type SqliteLibrary } from "@autokestra/sqlite";
import { createSecretReader, damagedIndex, type SecretReader } from "./reader.ts";
import { createTables, readLayout } from "./schema.ts";
import { prepareReads, prepareStatements } from "./statements.ts";
import { createSecretWriter, type SecretWriter } from "./writer.ts";

/** The columns of the table `secrets` of layout 1. The other columns of layout 2 get their defaults. */
const COLUMNS = `name, is_current, deleted_at, version, id, type, description, tags, created_at, updated_at, expires_at,
  format, key_id, nonce, tag, ciphertext`;

/** Moves everything from the tables of layout 1 into those of layout 2, without macs. Call it in a transaction. */
function moveRows(database: Database, path: string): void {
  // A damaged index of layout 1 could hide rows.
  if (database.pragma("integrity_check(1)") !== "ok") throw damagedIndex(path);
  createTables(
    database,
    `INSERT INTO store_header (id, text) SELECT id, text FROM header;
    INSERT INTO secret_versions (${COLUMNS}, revision)
      SELECT ${COLUMNS}, CASE is_current WHEN 1 THEN version END FROM secrets;
    DROP TABLE secrets;
    DROP TABLE header;`,
  );
}

/** Reads a database in layout 1 through an upgraded copy in memory, so that there is only one way to read rows. */
export interface Version1Reader {
  /** Returns null if the database has another layout by now. */
  reader(): SecretReader | null;
  close(): void;
}

interface Copy {
  /** The state of the database when it was copied. */
  readonly state: string | undefined;
  readonly database: Database;
  readonly reader: SecretReader;
}

export function createVersion1Reader(library: SqliteLibrary, database: Database, path: string): Version1Reader {
  /** Changes with every write of this connection and of others. */
  const state = database.prepare<[], string>("SELECT total_changes() || ':' || data_version FROM pragma_data_version");
  state.pluck();
  let copied: Copy | null = null;

  function bytesOfLayout1(): Uint8Array | null {
    return database.transaction(() => (readLayout(database, path) === 1 ? database.serialize() : null));
  }

  function close(): void {
    copied?.database.close();
    copied = null;
  }

  return {
    reader() {
      const now = state.get();
      if (copied !== null && copied.state === now) return copied.reader;
      close();
      const bytes = bytesOfLayout1();
      if (bytes === null) return null;
      const copy = openCopyInMemory(library, bytes);
      try {
        moveRows(copy, path);
        const reader = createSecretReader(copy, prepareReads(copy), path);
        copied = { state: now, database: copy, reader };
        return reader;
      } catch (error) {
        copy.close();
        throw error;
      }
    },
    close,
  };
}

/** Returns null for a damaged secret. */
function findSound(reader: SecretReader, id: string): EncryptedSecret | null {
  try {
    return reader.find(id);
  } catch (error) {
    if (!hasCode(error, "STORE_CORRUPT")) throw error;
    return null;
  }
}

/** Creates the writer of a database in layout 1, which can only delete, purge and upgrade. */
export function createVersion1Writer(database: Database, path: string): SecretWriter {
  const readHeader = () => database.prepare<[], string>("SELECT text FROM header").pluck().get() ?? null;
  const refuse = () => {
    throw layoutTooOld();
  };
  const DELETED_BEFORE = "SELECT name FROM secrets WHERE is_current = 1 AND deleted_at < ?";

  return {
    upgrade(header, expected, authenticate) {
      if (readHeader() !== expected) return false;
      const before = database.serialize();
      moveRows(database, path);
      const statements = prepareStatements(database);
      const reader = createSecretReader(database, statements, path);
      createSecretWriter(statements, reader, path).writeHeader(header, expected, []);
      for (const id of reader.ids()) {
        const secret = findSound(reader, id);
        // A damaged secret stays damaged and gets no mac, so that it does not prevent the upgrade.
        if (secret !== null) statements.setMac.run(authenticate(secret), id);
      }
      keepBackup(path, 1, before);
      return true;
    },
    delete(id, deletedAt) {
      const sql = "UPDATE secrets SET deleted_at = ? WHERE id = ? AND is_current = 1 AND deleted_at IS NULL";
      return database.prepare(sql).run(deletedAt, id).changes > 0;
    },
    purge: (id) => database.prepare("DELETE FROM secrets WHERE id = ?").run(id).changes > 0,
    purgeDeleted(before) {
      const names = database.prepare<[string], string>(DELETED_BEFORE).pluck().all(before);
      database.prepare(`DELETE FROM secrets WHERE name IN (${DELETED_BEFORE})`).run(before);
      return names.length;
    },
    writeHeader: refuse,
    put: refuse,
    rewrite: refuse,
    reencrypt: refuse,
    writeAnchor: refuse,
    insert: refuse,
  };
}
