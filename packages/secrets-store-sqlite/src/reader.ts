import type {
  Anchor,
  AutokestraError,
  EncryptedSecret,
  IdPage,
  SecretFilter,
  SecretMetadata,
  SecretName,
} from "@autokestra/secrets-core";
import {
  compareSecrets,
  passesFilter,
  type StoredState,
  selectSecrets,
  storeCorrupt,
} from "@autokestra/secrets-core/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import { type StateRow, toEncryptedSecret, toMetadata, toState, type VersionRow } from "./rows.ts";
import { IMPORTED_INDEX } from "./schema.ts";
import { createCountQuery, createListQuery, type ReadStatements } from "./statements.ts";

/** The synchronous reads of `SecretStore` in one database. Also throws errors of SQLite. */
export interface SecretReader {
  header(): string | null;
  get(name: SecretName): EncryptedSecret | null;
  /** Returns the state of the secret that `get` returns, also if its other columns are damaged. */
  living(name: SecretName): StoredState | null;
  find(id: string): EncryptedSecret | null;
  /** Returns the row of the secret that `find` returns, also if its other columns are damaged. */
  row(id: string): StateRow | null;
  versions(id: string): readonly EncryptedSecret[];
  ids(page?: IdPage): readonly string[];
  list(filter?: SecretFilter): readonly SecretMetadata[];
  count(filter?: SecretFilter): number;
  anchor(name: string): Anchor | null;
  anchors(): readonly Anchor[];
}

/**
 * Creates a reader that notices damaged indexes. Every name and every id is in two indexes: a secret is not found only
 * if both agree, and a row that is found must have the requested name or id.
 *
 * @param path the path of the database, for messages
 */
export function createSecretReader(database: Database, statements: ReadStatements, path: string): SecretReader {
  const { byName, byId } = createRowFinder(database, statements, path);
  const lists = createLister(database, path);

  /** One secret by its id, as a server looks for each that is asked for. What else the filter says is compared afterwards. */
  function listOne(id: string, filter: SecretFilter): readonly SecretMetadata[] {
    const row = byId<VersionRow>(statements.currentMetadata, id);
    return row === null ? [] : selectSecrets([toMetadata(row, path)], filter);
  }

  return {
    header: () => statements.readHeader.get() ?? null,
    get(name) {
      const row = byName<VersionRow>(statements.living, name);
      return row === null ? null : toEncryptedSecret(row, path);
    },
    living(name) {
      const row = byName(statements.livingState, name);
      return row === null ? null : toState(row, path);
    },
    find(id) {
      const row = byId<VersionRow>(statements.current, id);
      return row === null ? null : toEncryptedSecret(row, path);
    },
    row: (id) => byId(statements.currentState, id),
    versions: createVersionsReader(database, statements, path),
    ids: ({ name, after = "", limit = -1 } = {}) =>
      name === undefined ? statements.ids.all(after, limit) : statements.idsOfName.all(after, name, limit),
    ...lists,
    list(filter = {}) {
      const { id, anyPrefix, anyTag } = filter;
      // What a caller may not see must not be read.
      const isForAll = anyPrefix === undefined && anyTag === undefined;
      return id !== undefined && isForAll ? listOne(id, filter) : lists.list(filter);
    },
    anchor: (name) => statements.anchor.get(name) ?? null,
    anchors: () => statements.anchors.all(),
  };
}

type FindRow = <Row extends StateRow | VersionRow>(statement: Lookup<Row>, key: string) => Row | null;

interface RowFinder {
  readonly byName: FindRow;
  readonly byId: FindRow;
}

type Lookup<Row> = Statement<[string], Row>;

function createRowFinder(
  database: Database,
  { hasLiving, hasVersion }: Pick<ReadStatements, "hasLiving" | "hasVersion">,
  path: string,
): RowFinder {
  /** In one transaction, because another process could write between two. */
  function lookAgain<Row>(statement: Lookup<Row>, other: Lookup<number>, key: string): Row | null {
    return database.transaction(() => {
      const row = statement.get(key);
      if (row === undefined && other.get(key) !== undefined) throw damagedIndex(path);
      return row ?? null;
    });
  }

  function byName<Row extends StateRow | VersionRow>(statement: Lookup<Row>, name: string): Row | null {
    const row = statement.get(name) ?? lookAgain(statement, hasLiving, name);
    if (row === null) return null;
    const [, found, isCurrent, deletedAt] = row;
    if (found !== name || isCurrent !== 1 || deletedAt !== null) throw damagedIndex(path);
    return row;
  }

  function byId<Row extends StateRow | VersionRow>(statement: Lookup<Row>, id: string): Row | null {
    const row = statement.get(id) ?? lookAgain(statement, hasVersion, id);
    if (row === null) return null;
    const [, , isCurrent, , , , found] = row;
    if (found !== id || isCurrent !== 1) throw damagedIndex(path);
    return row;
  }

  return { byName, byId };
}

function createVersionsReader(database: Database, statements: ReadStatements, path: string): SecretReader["versions"] {
  const read = (id: string): readonly EncryptedSecret[] => {
    const rows = statements.versions.all(id);
    const [newest] = rows;
    if (newest === undefined && statements.hasCurrent.get(id) === undefined) return [];
    const isWhole = rows.every(
      ([, , isCurrent, , , , found], index) => found === id && isCurrent === (index === 0 ? 1 : 0),
    );
    if (newest === undefined || !isWhole) throw damagedIndex(path);
    const current = toEncryptedSecret(newest, path);
    return rows.map((row) => (row === newest ? current : toEncryptedSecret(row, path, current.metadata)));
  };
  return (id) => database.transaction(() => read(id));
}

function createLister(database: Database, path: string): Pick<SecretReader, "list" | "count"> {
  const prepared = new Map<string, Statement<[object], VersionRow>>();
  const findIndex = database.prepare<[string], number>("SELECT 1 FROM sqlite_schema WHERE name = ?").pluck();

  /** Asked each time, and only where it matters: another process can have added it. */
  function hasImportedIndex({ importedId }: SecretFilter = {}): boolean {
    return importedId !== undefined && findIndex.get(IMPORTED_INDEX) !== undefined;
  }

  function prepare(sql: string): Statement<[object], VersionRow> {
    const statement = prepared.get(sql) ?? database.prepare<[object], VersionRow>(sql).raw();
    prepared.set(sql, statement);
    return statement;
  }

  function list(filter?: SecretFilter): readonly SecretMetadata[] {
    const { sql, parameters } = createListQuery(filter, hasImportedIndex(filter));
    const secrets = prepare(sql)
      .all(parameters)
      .map((row) => {
        const [, , isCurrent] = row;
        if (isCurrent !== 1) throw damagedIndex(path);
        return toMetadata(row, path);
      });
    const isSound = secrets.every((metadata, index) => {
      const before = secrets[index - 1];
      return (before === undefined || compareSecrets(before, metadata) < 0) && passesFilter(metadata, filter);
    });
    if (!isSound) throw damagedIndex(path);
    return secrets;
  }

  return {
    list,
    count(filter) {
      const { sql, parameters } = createCountQuery(filter, hasImportedIndex(filter));
      const [count] = prepare(sql).get(parameters) ?? [];
      return Number(count);
    },
  };
}

/** Two indexes of the same rows disagree. */
export function damagedIndex(path: string): AutokestraError {
  return storeCorrupt(path, "its index is damaged");
}
