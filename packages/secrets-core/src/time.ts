/** A moment as ISO 8601 in UTC with milliseconds, `2026-11-22T12:00:00.000Z`: the only form in which autokestra keeps times. */
export type Timestamp = string;

const ISO_8601 = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/;

/**
 * Reads ISO 8601 (a date, or a date and time with an offset) or milliseconds since 1970, as a number or as digits.
 * Returns null for anything else, also for days that no calendar has.
 */
export function parseTimestamp(input: string | number): Timestamp | null {
  if (typeof input === "string" && ISO_8601.test(input)) {
    const moment = new Date(input);
    const dayExists = new Date(`${input.slice(0, 10)}T00:00:00Z`).toJSON()?.startsWith(input.slice(0, 10));
    return dayExists ? moment.toJSON() : null;
  }
  const milliseconds = typeof input === "string" && /^\d{1,15}$/.test(input) ? Number(input) : input;
  if (typeof milliseconds !== "number" || !Number.isFinite(milliseconds)) return null;
  const text = new Date(milliseconds).toJSON();
  // Years of more than four digits are written in another form.
  return text?.length === 24 ? text : null;
}

/** True where there is such a moment, and it comes before the other. */
export function isBefore(moment: Timestamp | null, limit: Timestamp): boolean {
  return moment !== null && moment < limit;
}

/** The moment so many days after another, or before it. */
export function daysAfter(moment: Timestamp, days: number): Timestamp {
  return new Date(Date.parse(moment) + days * 24 * 60 * 60 * 1000).toISOString();
}
