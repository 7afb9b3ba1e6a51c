import { parseTimestamp, type Timestamp } from "@autokestra/secrets-core";

/**
 * Reads a time as SQLite and its users write it: `2026-11-22 12:00:00`, also with a fraction, `T` or an offset. Without an
 * offset it is UTC, as https://sqlite.org/lang_datefunc.html has it.
 *
 * @returns null for anything else; a bare number could be days, seconds or milliseconds
 */
export function parseSqliteTime(text: string): Timestamp | null {
  if (!/^\d{4}-/.test(text)) return null;
  const iso = text.replace(" ", "T");
  return parseTimestamp(iso) ?? parseTimestamp(`${iso}Z`);
}
