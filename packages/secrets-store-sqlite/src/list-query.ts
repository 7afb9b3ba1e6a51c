import type { SecretFilter } from "@autokestra/secrets-core";
import { METADATA_COLUMNS } from "./sealed-row.ts";
import { selectRows } from "./statements.ts";

/** A question for the metadata of current versions, in the order of their names. */
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
  const { type, tags = [], prefix = "", expiresBefore, state = "active", deletedSince, after, limit = -1 } = filter;
  // The prefix, or the least text behind `after`: an index is entered at one place.
  const from = after !== undefined && after >= prefix ? `${after}\0` : prefix;
  const index = chooseIndex(filter);
  const conditions = ["entry.is_current = 1"];
  if (from !== "") conditions.push("entry.name >= @from");
  if (prefix !== "") conditions.push("entry.name < @to");
  if (type !== undefined) conditions.push(`${index === "secrets_type" ? "entry" : "row"}.type = @type`);
  if (expiresBefore !== undefined) {
    conditions.push(`${index === "secrets_expiry" ? "entry" : "row"}.expires_at < @expiresBefore`);
  }
  if (state === "active") conditions.push("row.deleted_at IS NULL");
  if (state === "deleted") conditions.push("entry.deleted_at IS NOT NULL");
  if (deletedSince !== undefined) conditions.push("(row.deleted_at IS NULL OR row.deleted_at >= @deletedSince)");
  if (tags.length > 0) conditions.push(HAS_TAGS);
  return {
    sql: `${selectRows(METADATA_COLUMNS, index)} WHERE ${conditions.join(" AND ")} ORDER BY entry.name LIMIT @limit`,
    parameters: { from, to: prefix + BEHIND, type, expiresBefore, deletedSince, tags: JSON.stringify(tags), limit },
  };
}

/** The index with the fewest names to pass over. */
function chooseIndex({ type, expiresBefore, state }: SecretFilter): string {
  if (state === "deleted") return "secrets_deleted";
  if (expiresBefore !== undefined) return "secrets_expiry";
  return type === undefined ? "secrets_current" : "secrets_type";
}
