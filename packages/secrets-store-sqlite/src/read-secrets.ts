import {
  type AutokestraError,
  type NamePage,
  passesFilter,
  type SealedSecret,
  type SecretFilter,
  type SecretMetadata,
  type SecretName,
  storeCorrupt,
} from "@autokestra/secrets-core";
import type { Database, Statement } from "better-sqlite3";
import { createListQuery } from "./list-query.ts";
import { type MetadataRow, type SealedRow, toMetadata, toSealedSecret } from "./sealed-row.ts";
import type { Statements } from "./statements.ts";

/** Reads of one database. What the docstrings of SecretStore promise, but synchronous; errors are those of SQLite, too. */
export interface SecretReader {
  header(): string | null;
  /** The row of the current version, whatever its other columns hold. */
  find(name: SecretName): MetadataRow | null;
  get(name: SecretName): SealedSecret | null;
  history(name: SecretName): readonly SealedSecret[];
  names(page?: NamePage): readonly SecretName[];
  list(filter?: SecretFilter): readonly SecretMetadata[];
}

/**
 * Two indexes have every name. What one of them misses is absent only if it is not in the other either, and what one of them
 * finds must be what was asked for: an index can be damaged.
 *
 * @param path of the database, for messages
 */
export function createSecretReader(database: Database, statements: Statements, path: string): SecretReader {
  const lists = new Map<string, Statement<[object], MetadataRow>>();
  const damaged = () => damagedIndex(path);

  /** In one snapshot: between two of them another process can have written the name. */
  const lookAgain = database.transaction((name: SecretName): SealedRow | null => {
    const row = statements.current.get(name);
    if (row === undefined && statements.hasVersion.get(name) !== undefined) throw damaged();
    return row ?? null;
  });

  function find<Row extends MetadataRow>(
    statement: Statement<[string], Row>,
    name: SecretName,
  ): Row | SealedRow | null {
    const row = statement.get(name) ?? lookAgain(name);
    if (row === null) return null;
    const [found, isCurrent] = row;
    if (found !== name || isCurrent !== 1) throw damaged();
    return row;
  }

  const history = database.transaction((name: SecretName): readonly SealedSecret[] => {
    const rows = statements.versions.all(name);
    const [newest] = rows;
    if (newest === undefined && statements.hasCurrent.get(name) === undefined) return [];
    const isWhole = rows.every(([found, isCurrent], index) => found === name && isCurrent === (index === 0 ? 1 : 0));
    if (newest === undefined || !isWhole) throw damaged();
    const { deletedAt } = toMetadata(newest, path);
    return rows.map((row) => {
      const { metadata, envelope } = toSealedSecret(row, path);
      return { metadata: { ...metadata, deletedAt }, envelope };
    });
  });

  function prepareList(sql: string): Statement<[object], MetadataRow> {
    const statement = lists.get(sql) ?? database.prepare<[object], MetadataRow>(sql).raw(true);
    lists.set(sql, statement);
    return statement;
  }

  return {
    header: () => statements.readHeader.get() ?? null,
    find: (name) => find(statements.currentMetadata, name),
    get(name) {
      const row = find(statements.current, name);
      return row === null ? null : toSealedSecret(row, path);
    },
    history,
    names: ({ after = "", limit = -1 } = {}) => statements.names.all(after, limit),
    list(filter) {
      const { sql, parameters } = createListQuery(filter);
      const rows = prepareList(sql).all(parameters);
      return rows.map((row, index) => {
        const [name, isCurrent] = row;
        const [before = ""] = rows[index - 1] ?? [];
        if (isCurrent !== 1 || !(before < name)) throw damaged();
        const metadata = toMetadata(row, path);
        if (!passesFilter(metadata, filter)) throw damaged();
        return metadata;
      });
    },
  };
}

/** Two ways to the same rows that do not lead to the same. */
export function damagedIndex(path: string): AutokestraError {
  return storeCorrupt(path, "its index is damaged");
}
