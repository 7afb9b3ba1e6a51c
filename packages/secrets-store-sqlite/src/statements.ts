import type { Anchor, SecretFilter } from "@autokestra/secrets-core";
import { onAllPages } from "@autokestra/secrets-core/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import { type ColumnValue, ROWS, STATE_COLUMNS, type StateRow, type VersionRow } from "./rows.ts";
import { IMPORTED_INDEX } from "./schema.ts";

/** A version with its new envelope, and with its mac as the current version of this revision. */
interface ReencryptedRow {
  readonly id: string;
  readonly version: number;
  readonly revision: number;
  readonly nonceBefore: Uint8Array;
  readonly mac: string | null;
  readonly format: number;
  readonly keyId: string;
  readonly nonce: Uint8Array;
  readonly tag: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/**
 * Selects the rows that an index points to. It is a join, because otherwise SQLite reads the name from the index, and a
 * wrong row of a damaged index would appear under the requested name. If an entry points to no row, all columns are
 * NULL.
 */
function selectRows(columns: readonly string[], index: string): string {
  const names = columns.map((column) => `row.${column}`);
  return `SELECT ${names.join(", ")} ${fromIndex(index)}`;
}

function fromIndex(index: string): string {
  return `FROM secret_versions AS entry INDEXED BY ${index} LEFT JOIN secret_versions AS row ON row.rowid = entry.rowid`;
}

const LIVING = "entry.namespace = '' AND entry.name = ? AND entry.is_current = 1 AND entry.deleted_at IS NULL";
const IS_SAME = "(row.is_current = 1 AND row.name = entry.name AND row.id = entry.id)";
const CURRENT = "entry.id = ? AND entry.is_current = 1";

/** The statements that read, except those of lists. */
export interface ReadStatements {
  readonly readHeader: Statement<[], string>;
  /** Returns the current version of the secret with a name that is not deleted. */
  readonly living: Statement<[string], VersionRow>;
  readonly livingState: Statement<[string], StateRow>;
  /** Returns 1 if the index of lists has such a secret. */
  readonly hasLiving: Statement<[string], number>;
  /** Returns the current version of the secret with an id. */
  readonly current: Statement<[string], VersionRow>;
  readonly currentMetadata: Statement<[string], VersionRow>;
  readonly currentState: Statement<[string], StateRow>;
  /** Returns all versions of the secret with an id, the newest first. */
  readonly versions: Statement<[string], VersionRow>;
  /** Returns 1 if the index of current versions has the id. */
  readonly hasCurrent: Statement<[string], number>;
  /** Returns 1 if the index of all versions has the id. */
  readonly hasVersion: Statement<[string], number>;
  /**
   * Returns ids. Parameters: the id to start after, the limit or -1. Reads all versions, because a damaged secret can
   * have no current one.
   */
  readonly ids: Statement<[string, number], string>;
  /** Returns the ids of a name. Parameters: the id to start after, the name, the limit or -1. Reads every version. */
  readonly idsOfName: Statement<[string, string, number], string>;
  readonly anchor: Statement<[string], Anchor>;
  readonly anchors: Statement<[], Anchor>;
}

/** The statements that write, and what is read only to write. */
export interface WriteStatements {
  readonly insertHeader: Statement<[string]>;
  /** Parameters: the new header, the stored one. */
  readonly replaceHeader: Statement<[string, string]>;
  /** Returns those of a JSON array of data keys that any version names. Reads every version. */
  readonly usedKeys: Statement<[string], string>;
  /** Returns the ids of secrets that were deleted before a time. */
  readonly deletedBefore: Statement<[string], string>;
  readonly insert: Statement<ColumnValue[]>;
  /** Makes the current version an older one. */
  readonly retire: Statement<[string]>;
  /** Removes the oldest versions. Parameters: the id, the id again, the maximum number of versions. */
  readonly trim: Statement<[string, string, number]>;
  /** Parameters: the id, the version. */
  readonly remove: Statement<[string, number]>;
  readonly reencrypt: Statement<[ReencryptedRow]>;
  /** Parameters: the time, the id. */
  readonly setDeleted: Statement<[string, string]>;
  /** Sets the mac of the current version. Parameters: the mac, the id. */
  readonly setMac: Statement<[string, string]>;
  readonly purge: Statement<[string]>;
  readonly insertAnchor: Statement<[Anchor]>;
  /** Replaces the anchor if it has the expected counter. */
  readonly replaceAnchor: Statement<[Anchor & { readonly expected: number }]>;
}

/** All statements of a store except those of lists. */
export type Statements = ReadStatements & WriteStatements;

export function prepareStatements(database: Database): Statements {
  return { ...prepareReads(database), ...prepareWrites(database) };
}

export function prepareReads(database: Database): ReadStatements {
  function rows<Row>(sql: string): Statement<[string], Row> {
    return database.prepare<[string], Row>(sql).raw();
  }

  function value<Parameters extends unknown[], Value>(sql: string): Statement<Parameters, Value> {
    return database.prepare<Parameters, Value>(sql).pluck();
  }

  return {
    readHeader: value("SELECT text FROM store_header"),
    living: rows(`${selectRows(ROWS.columns, "living_by_name")} WHERE ${LIVING}`),
    livingState: rows(`${selectRows(STATE_COLUMNS, "living_by_name")} WHERE ${LIVING}`),
    hasLiving: value(`
      SELECT 1 ${fromIndex("current_by_name")}
      WHERE entry.namespace = '' AND entry.name = ? AND entry.is_current = 1 AND row.deleted_at IS NULL LIMIT 1`),
    current: rows(`${selectRows(ROWS.columns, "current_by_id")} WHERE ${CURRENT}`),
    currentMetadata: rows(`${selectRows(ROWS.metadataColumns, "current_by_id")} WHERE ${CURRENT}`),
    currentState: rows(`${selectRows(STATE_COLUMNS, "current_by_id")} WHERE ${CURRENT}`),
    versions: rows(`${selectRows(ROWS.columns, "versions_by_id")} WHERE entry.id = ? ORDER BY entry.version DESC`),
    hasCurrent: value("SELECT 1 FROM secret_versions INDEXED BY current_by_id WHERE id = ? AND is_current = 1"),
    hasVersion: value("SELECT 1 FROM secret_versions INDEXED BY versions_by_id WHERE id = ? LIMIT 1"),
    ids: value(
      "SELECT DISTINCT id FROM secret_versions INDEXED BY versions_by_id WHERE id > ? ORDER BY id LIMIT ? + 0",
    ),
    idsOfName: value("SELECT DISTINCT id FROM secret_versions WHERE id > ? AND name = ? ORDER BY id LIMIT ? + 0"),
    anchor: database.prepare<[string], Anchor>("SELECT name, counter, text, mac FROM anchors WHERE name = ?"),
    anchors: database.prepare<[], Anchor>("SELECT name, counter, text, mac FROM anchors ORDER BY name"),
  };
}

export function prepareWrites(database: Database): WriteStatements {
  const columns = ROWS.columns.join(", ");
  const values = ROWS.columns.map(() => "?").join(", ");
  return {
    insertHeader: database.prepare("INSERT INTO store_header (id, text) VALUES (1, ?) ON CONFLICT DO NOTHING"),
    replaceHeader: database.prepare("UPDATE store_header SET text = ? WHERE text = ?"),
    usedKeys: database
      .prepare<[string], string>(
        "SELECT DISTINCT key_id FROM secret_versions WHERE key_id IN (SELECT value FROM json_each(?))",
      )
      .pluck(),
    deletedBefore: database
      .prepare<[string], string>(`
        SELECT id FROM secret_versions INDEXED BY deleted_by_name
        WHERE is_current = 1 AND deleted_at IS NOT NULL AND deleted_at < ?`)
      .pluck(),
    insert: database.prepare(`INSERT INTO secret_versions (${columns}) VALUES (${values})`),
    retire: database.prepare(`
      UPDATE secret_versions
      SET is_current = 0, ${ROWS.ofCurrent.map((column) => `${column} = NULL`).join(", ")}
      WHERE id = ? AND is_current = 1`),
    trim: database.prepare(`
      DELETE FROM secret_versions INDEXED BY versions_by_id WHERE id = ? AND is_current = 0
        AND version <= (SELECT version FROM secret_versions WHERE id = ? ORDER BY version DESC LIMIT 1 OFFSET ?)`),
    remove: database.prepare("DELETE FROM secret_versions WHERE id = ? AND version = ?"),
    reencrypt: database.prepare(`
      UPDATE secret_versions
      SET format = @format, key_id = @keyId, nonce = @nonce, tag = @tag, ciphertext = @ciphertext,
        mac = CASE is_current WHEN 1 THEN @mac END
      WHERE id = @id AND version = @version AND nonce = @nonceBefore AND (is_current = 0 OR revision = @revision)`),
    setDeleted: database.prepare("UPDATE secret_versions SET deleted_at = ? WHERE id = ? AND is_current = 1"),
    setMac: database.prepare("UPDATE secret_versions SET mac = ? WHERE id = ? AND is_current = 1"),
    purge: database.prepare("DELETE FROM secret_versions INDEXED BY versions_by_id WHERE id = ?"),
    insertAnchor: database.prepare(
      "INSERT INTO anchors (name, counter, text, mac) VALUES (@name, @counter, @text, @mac) ON CONFLICT DO NOTHING",
    ),
    replaceAnchor: database.prepare(
      "UPDATE anchors SET counter = @counter, text = @text, mac = @mac WHERE name = @name AND counter = @expected",
    ),
  };
}

/** A row counts as current only if its name and id are those of the index entry, so that no damaged name is listed. */
const LISTED = ROWS.metadataColumns.map((column) => (column === "is_current" ? IS_SAME : `row.${column}`)).join(", ");

/** A query for the metadata of current versions, ordered by name and id. */
interface ListQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Comes after every character of a name, so that a prefix with it comes after all names with the prefix. */
const BEHIND = "\x7f";

/** The secret has all wanted tags. */
const HAS_TAGS = `NOT EXISTS (
  SELECT 1 FROM json_each(@tags) AS wanted WHERE wanted.value NOT IN (SELECT value FROM json_each(row.tags))
)`;

/** Uses the entry of an index, so that the row of a hidden name is not read. */
const HAS_ANY_PREFIX = `EXISTS (
  SELECT 1 FROM json_each(@anyPrefix) AS wanted WHERE substr(entry.name, 1, length(wanted.value)) = wanted.value
)`;

const HAS_ANY_TAG = `EXISTS (
  SELECT 1 FROM json_each(@anyTag) AS wanted WHERE wanted.value IN (SELECT value FROM json_each(row.tags))
)`;

/** Creates the query for the number of secrets that pass a filter. */
export function createCountQuery(filter?: SecretFilter, hasImportedIndex = true): ListQuery {
  const { source, parameters } = conditionsOf(onAllPages(filter), hasImportedIndex);
  return { sql: `SELECT count(*) ${source}`, parameters };
}

export function createListQuery(filter: SecretFilter = {}, hasImportedIndex = true): ListQuery {
  const { source, parameters } = conditionsOf(filter, hasImportedIndex);
  const { skip = 0, limit = -1 } = filter;
  // One secret at most has an id: there is nothing to sort.
  const order = filter.id === undefined ? "ORDER BY entry.name, entry.id" : "";
  return {
    // A sum, because SQLite looks at the value of a parameter that stands there alone, and prepares the statement again for each.
    sql: `SELECT ${LISTED} ${source} ${order} LIMIT @limit + 0 OFFSET @skip + 0`,
    parameters: { ...parameters, skip, limit },
  };
}

/** Has only the conditions of the filter, so that SQLite can use the best index. */
function conditionsOf(
  filter: SecretFilter,
  hasImportedIndex: boolean,
): Pick<ListQuery, "parameters"> & { readonly source: string } {
  const { type, tags = [], name, prefix = "", id, importedId, anyPrefix, anyTag } = filter;
  const { expiresBefore, state = "active", retentionStart } = filter;
  const start = startOf(filter);
  const index = chooseIndex(filter, hasImportedIndex);
  const conditions = ["entry.namespace = ''", "entry.is_current = 1", ...start.conditions];
  if (name !== undefined) conditions.push("entry.name = @name");
  if (prefix !== "") conditions.push("entry.name < @to");
  if (type !== undefined) conditions.push(`${index === "current_by_type" ? "entry" : "row"}.type = @type`);
  if (expiresBefore !== undefined) {
    conditions.push(`${index === "current_by_expiry" ? "entry" : "row"}.expires_at < @expiresBefore`);
  }
  if (state === "active") conditions.push("row.deleted_at IS NULL");
  if (state === "deleted") conditions.push("entry.deleted_at IS NOT NULL");
  if (retentionStart !== undefined) conditions.push("(row.deleted_at IS NULL OR row.deleted_at >= @retentionStart)");
  if (id !== undefined) conditions.push("entry.id = @id");
  if (importedId !== undefined) {
    conditions.push(`${index === IMPORTED_INDEX ? "entry" : "row"}.imported_id = @importedId`);
  }
  if (anyPrefix !== undefined) conditions.push(HAS_ANY_PREFIX);
  if (tags.length > 0) conditions.push(HAS_TAGS);
  if (anyTag !== undefined) conditions.push(HAS_ANY_TAG);
  const lists = { tags: toJson(tags), anyPrefix: toJson(anyPrefix), anyTag: toJson(anyTag) };
  const own = { name, type, id, importedId, expiresBefore, retentionStart, ...lists };
  return {
    source: `${fromIndex(index)} WHERE ${conditions.join(" AND ")}`,
    parameters: { ...own, to: prefix + BEHIND, ...start.parameters },
  };
}

function toJson(texts: readonly string[] | undefined): string | undefined {
  return texts === undefined ? undefined : JSON.stringify(texts);
}

/** Returns where to start in the index: at the greater one of the page and the prefix. */
function startOf({ prefix = "", after, afterId }: SecretFilter): {
  conditions: readonly string[];
  parameters: Readonly<Record<string, string>>;
} {
  if (after === undefined || after < prefix) {
    return prefix === "" ? { conditions: [], parameters: {} } : from("entry.name >= @from", { from: prefix });
  }
  if (afterId === undefined) return from("entry.name > @from", { from: after });
  return from("(entry.name, entry.id) > (@from, @afterId)", { from: after, afterId });
}

function from(condition: string, parameters: Readonly<Record<string, string>>) {
  return { conditions: [condition], parameters };
}

/** Returns the index with the fewest entries to skip. */
function chooseIndex({ type, expiresBefore, state, id, importedId }: SecretFilter, hasImportedIndex: boolean): string {
  if (id !== undefined) return "current_by_id";
  if (importedId !== undefined && hasImportedIndex) return IMPORTED_INDEX;
  if (state === "deleted") return "deleted_by_name";
  if (expiresBefore !== undefined) return "current_by_expiry";
  return type === undefined ? "current_by_name" : "current_by_type";
}
