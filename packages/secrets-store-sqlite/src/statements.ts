import type { Anchor, SecretFilter } from "@autokestra/secrets-core";
import { onAllPages } from "@autokestra/secrets-core/internal";
import type { Database, Statement } from "@autokestra/sqlite";
import { type ColumnValue, ROWS, STATE_COLUMNS, type StateRow, type VersionRow } from "./rows.ts";

/** Which version, its new envelope, and the mac that it has where it is the current one of this revision. */
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
 * The rows that an index points to. A join, for otherwise SQLite takes a name that is in the index from there: what a damaged
 * index points to would come under the name that was asked for. Where it points to nothing, all columns are NULL.
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

/** All that a store asks of its database, but lists. */
export interface Statements {
  readonly readHeader: Statement<[], string>;
  readonly insertHeader: Statement<[string]>;
  /** The new header, then the one that must be there. */
  readonly replaceHeader: Statement<[string, string]>;
  /** Which of these data keys, a JSON array, any version names. Looks at every version. */
  readonly usedKeys: Statement<[string], string>;
  /** The current version of the secret of a name that is not deleted. */
  readonly living: Statement<[string], VersionRow>;
  readonly livingState: Statement<[string], StateRow>;
  /** 1 where the index of names that lists go by has such a secret. */
  readonly hasLiving: Statement<[string], number>;
  /** The current version of the secret with an id. */
  readonly current: Statement<[string], VersionRow>;
  readonly currentState: Statement<[string], StateRow>;
  /** All versions of the secret with an id, the newest first. */
  readonly versions: Statement<[string], VersionRow>;
  /** 1 where the index of current versions has the id. */
  readonly hasCurrent: Statement<[string], number>;
  /** 1 where the index of all versions has the id. */
  readonly hasVersion: Statement<[string], number>;
  /** Ids after one, and how many; -1 for all. Of all versions: a secret without a current one is damaged, and must be found. */
  readonly ids: Statement<[string, number], string>;
  /** The same of a name, after the id. Looks at every version. */
  readonly idsOfName: Statement<[string, string, number], string>;
  /** Ids of what was deleted before a moment. */
  readonly deletedBefore: Statement<[string], string>;
  readonly insert: Statement<[readonly ColumnValue[]]>;
  /** The current version is an older one from now on. */
  readonly retire: Statement<[string]>;
  /** An id, the same again, and how many versions may stay. */
  readonly trim: Statement<[string, string, number]>;
  /** An id and a version. */
  readonly remove: Statement<[string, number]>;
  readonly reencrypt: Statement<[ReencryptedRow]>;
  /** When it was deleted, then the id. */
  readonly setDeleted: Statement<[string, string]>;
  /** The mac of the current version, then the id. */
  readonly setMac: Statement<[string, string]>;
  readonly purge: Statement<[string]>;
  readonly anchor: Statement<[string], Anchor>;
  readonly anchors: Statement<[], Anchor>;
  readonly insertAnchor: Statement<[Anchor]>;
  /** Replaces the one with this counter. */
  readonly replaceAnchor: Statement<[Anchor & { readonly expected: number }]>;
}

/** The statements that change something. */
type Writes =
  | "insertHeader"
  | "replaceHeader"
  | "insert"
  | "retire"
  | "trim"
  | "remove"
  | "reencrypt"
  | "setDeleted"
  | "setMac"
  | "purge"
  | "insertAnchor"
  | "replaceAnchor";

export function prepareStatements(database: Database): Statements {
  return { ...prepareReads(database), ...prepareWrites(database) };
}

function prepareReads(database: Database): Omit<Statements, Writes> {
  function rows<Row>(sql: string): Statement<[string], Row> {
    return database.prepare<[string], Row>(sql).raw();
  }

  function value<Parameters extends unknown[], Value>(sql: string): Statement<Parameters, Value> {
    return database.prepare<Parameters, Value>(sql).pluck();
  }

  return {
    readHeader: value("SELECT text FROM store_header"),
    usedKeys: value("SELECT DISTINCT key_id FROM secret_versions WHERE key_id IN (SELECT value FROM json_each(?))"),
    living: rows(`${selectRows(ROWS.columns, "living_by_name")} WHERE ${LIVING}`),
    livingState: rows(`${selectRows(STATE_COLUMNS, "living_by_name")} WHERE ${LIVING}`),
    hasLiving: value(`
      SELECT 1 ${fromIndex("current_by_name")}
      WHERE entry.namespace = '' AND entry.name = ? AND entry.is_current = 1 AND row.deleted_at IS NULL LIMIT 1`),
    current: rows(`${selectRows(ROWS.columns, "current_by_id")} WHERE ${CURRENT}`),
    currentState: rows(`${selectRows(STATE_COLUMNS, "current_by_id")} WHERE ${CURRENT}`),
    versions: rows(`${selectRows(ROWS.columns, "versions_by_id")} WHERE entry.id = ? ORDER BY entry.version DESC`),
    hasCurrent: value("SELECT 1 FROM secret_versions INDEXED BY current_by_id WHERE id = ? AND is_current = 1"),
    hasVersion: value("SELECT 1 FROM secret_versions INDEXED BY versions_by_id WHERE id = ? LIMIT 1"),
    ids: value("SELECT DISTINCT id FROM secret_versions INDEXED BY versions_by_id WHERE id > ? ORDER BY id LIMIT ?"),
    idsOfName: value("SELECT DISTINCT id FROM secret_versions WHERE id > ? AND name = ? ORDER BY id LIMIT ?"),
    deletedBefore: value(`
      SELECT id FROM secret_versions INDEXED BY deleted_by_name
      WHERE is_current = 1 AND deleted_at IS NOT NULL AND deleted_at < ?`),
    anchor: database.prepare<[string], Anchor>("SELECT name, counter, text, mac FROM anchors WHERE name = ?"),
    anchors: database.prepare<[], Anchor>("SELECT name, counter, text, mac FROM anchors ORDER BY name"),
  };
}

function prepareWrites(database: Database): Pick<Statements, Writes> {
  const columns = ROWS.columns.join(", ");
  const values = ROWS.columns.map(() => "?").join(", ");
  return {
    insertHeader: database.prepare("INSERT INTO store_header (id, text) VALUES (1, ?) ON CONFLICT DO NOTHING"),
    replaceHeader: database.prepare("UPDATE store_header SET text = ? WHERE text = ?"),
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

/** A row counts as current only under the name and the id of its entry: a damaged name must not be listed. */
const LISTED = ROWS.metadataColumns.map((column) => (column === "is_current" ? IS_SAME : `row.${column}`)).join(", ");

/** A question for the metadata of current versions, in the order of their names and ids. */
interface ListQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Behind every name that begins with this: names have no character of this rank. */
const BEHIND = "\x7f";

/** No wanted tag is missing from the secret's own. */
const HAS_TAGS = `NOT EXISTS (
  SELECT 1 FROM json_each(@tags) AS wanted WHERE wanted.value NOT IN (SELECT value FROM json_each(row.tags))
)`;

/** Of the entry of an index, so that the row of a name that is not to be seen is not read. */
const HAS_ANY_PREFIX = `EXISTS (
  SELECT 1 FROM json_each(@anyPrefix) AS wanted WHERE substr(entry.name, 1, length(wanted.value)) = wanted.value
)`;

const HAS_ANY_TAG = `EXISTS (
  SELECT 1 FROM json_each(@anyTag) AS wanted WHERE wanted.value IN (SELECT value FROM json_each(row.tags))
)`;

/** A question for the number of secrets that pass a filter. */
export function createCountQuery(filter?: SecretFilter): ListQuery {
  const { source, parameters } = conditionsOf(onAllPages(filter));
  return { sql: `SELECT count(*) ${source}`, parameters };
}

export function createListQuery(filter: SecretFilter = {}): ListQuery {
  const { source, parameters } = conditionsOf(filter);
  const { skip = 0, limit = -1 } = filter;
  const page = "ORDER BY entry.name, entry.id LIMIT @limit OFFSET @skip";
  return { sql: `SELECT ${LISTED} ${source} ${page}`, parameters: { ...parameters, skip, limit } };
}

/** Only the conditions that are asked for stand in a query, or SQLite could not go along the index that fits. */
function conditionsOf(filter: SecretFilter): Pick<ListQuery, "parameters"> & { readonly source: string } {
  const { type, tags = [], name, prefix = "", id, importedId, anyPrefix, anyTag } = filter;
  const { expiresBefore, state = "active", deletedSince } = filter;
  const start = startOf(filter);
  const index = chooseIndex(filter);
  const conditions = ["entry.namespace = ''", "entry.is_current = 1", ...start.conditions];
  if (name !== undefined) conditions.push("entry.name = @name");
  if (prefix !== "") conditions.push("entry.name < @to");
  if (type !== undefined) conditions.push(`${index === "current_by_type" ? "entry" : "row"}.type = @type`);
  if (expiresBefore !== undefined) {
    conditions.push(`${index === "current_by_expiry" ? "entry" : "row"}.expires_at < @expiresBefore`);
  }
  if (state === "active") conditions.push("row.deleted_at IS NULL");
  if (state === "deleted") conditions.push("entry.deleted_at IS NOT NULL");
  if (deletedSince !== undefined) conditions.push("(row.deleted_at IS NULL OR row.deleted_at >= @deletedSince)");
  if (id !== undefined) conditions.push("entry.id = @id");
  if (importedId !== undefined) conditions.push("row.imported_id = @importedId");
  if (anyPrefix !== undefined) conditions.push(HAS_ANY_PREFIX);
  if (tags.length > 0) conditions.push(HAS_TAGS);
  if (anyTag !== undefined) conditions.push(HAS_ANY_TAG);
  const lists = { tags: toJson(tags), anyPrefix: toJson(anyPrefix), anyTag: toJson(anyTag) };
  const own = { name, type, id, importedId, expiresBefore, deletedSince, ...lists };
  return {
    source: `${fromIndex(index)} WHERE ${conditions.join(" AND ")}`,
    parameters: { ...own, to: prefix + BEHIND, ...start.parameters },
  };
}

function toJson(texts: readonly string[] | undefined): string | undefined {
  return texts === undefined ? undefined : JSON.stringify(texts);
}

/** Where an index is entered: at one place, the greater one of what the page and the prefix ask for. */
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

/** The index with the fewest names to pass over. */
function chooseIndex({ type, expiresBefore, state, id }: SecretFilter): string {
  if (id !== undefined) return "current_by_id";
  if (state === "deleted") return "deleted_by_name";
  if (expiresBefore !== undefined) return "current_by_expiry";
  return type === undefined ? "current_by_name" : "current_by_type";
}
