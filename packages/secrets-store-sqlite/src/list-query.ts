import type { SecretFilter } from "@autokestra/secrets-core";
import { METADATA_COLUMNS } from "./sealed-row.ts";
import { selectRows } from "./statements.ts";

/** A question for the metadata of current versions, in the order of their names and ids. */
export interface ListQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Behind every name that begins with this: names have no character of this rank. */
const BEHIND = "\x7f";

/** No wanted tag is missing from the secret's own. */
const HAS_TAGS = `NOT EXISTS (
  SELECT 1 FROM json_each(@tags) AS wanted WHERE wanted.value NOT IN (SELECT value FROM json_each(row.tags))
)`;

/** Only the conditions that are asked for stand in a query, or SQLite could not go along the index that fits. */
export function createListQuery(filter: SecretFilter = {}): ListQuery {
  const { type, tags = [], name, prefix = "", expiresBefore, state = "active", deletedSince, limit = -1 } = filter;
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
  if (tags.length > 0) conditions.push(HAS_TAGS);
  const own = { name, type, expiresBefore, deletedSince, tags: JSON.stringify(tags), limit };
  return {
    sql: `${selectRows(METADATA_COLUMNS, index)} WHERE ${conditions.join(" AND ")}
      ORDER BY entry.name, entry.id LIMIT @limit`,
    parameters: { ...own, to: prefix + BEHIND, ...start.parameters },
  };
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
function chooseIndex({ type, expiresBefore, state }: SecretFilter): string {
  if (state === "deleted") return "deleted_by_name";
  if (expiresBefore !== undefined) return "current_by_expiry";
  return type === undefined ? "current_by_name" : "current_by_type";
}
