import type { SecretFilter } from "@autokestra/secrets-core";
import { METADATA, rowsOf } from "./statements.ts";

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
  const { type, tags = [], prefix = "", expiresBefore, state = "active", after, limit = -1 } = filter;
  // The least text behind `after`, or the prefix: an index is entered at one place.
  const next = after === undefined ? "" : `${after}\0`;
  const from = next > prefix ? next : prefix;
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
  if (tags.length > 0) conditions.push(HAS_TAGS);
  return {
    sql: `SELECT ${METADATA} ${rowsOf(index)} WHERE ${conditions.join(" AND ")} ORDER BY entry.name LIMIT @limit`,
    parameters: { from, to: prefix + BEHIND, type, expiresBefore, tags: JSON.stringify(tags), limit },
  };
}

/** The index with the fewest names to pass over. */
function chooseIndex({ type, expiresBefore, state }: SecretFilter): string {
  if (state === "deleted") return "secrets_deleted";
  if (expiresBefore !== undefined) return "secrets_expiry";
  return type === undefined ? "secrets_current" : "secrets_type";
}
