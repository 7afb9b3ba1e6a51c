/** A time as autokestra stores it: ISO 8601 in UTC with milliseconds, `2026-11-22T12:00:00.000Z`. */
export type Timestamp = string;

const ISO_8601 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/i;

/** The smallest number that counts milliseconds. Smaller ones count seconds: this many reach the year 5138. */
const FIRST_MILLISECONDS = 1e11;

/** Examples of times as people write them, for messages. */
export const TIME_EXAMPLES = "2027-01-31, 2027-01-31T12:00:00Z, 90d, `in 2 weeks`, or seconds since 1970";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Units of time with their length in milliseconds or in months of the calendar. */
const UNITS: readonly { readonly names: RegExp; readonly length: number; readonly months?: number }[] = [
  { names: /^(?:s|secs?|seconds?)$/, length: 1000 },
  { names: /^(?:m|mins?|minutes?)$/, length: MINUTE },
  { names: /^(?:h|hrs?|hours?)$/, length: 60 * MINUTE },
  { names: /^(?:d|days?)$/, length: DAY },
  { names: /^(?:w|weeks?)$/, length: 7 * DAY },
  { names: /^(?:mo|months?)$/, length: 0, months: 1 },
  { names: /^(?:y|yrs?|years?)$/, length: 0, months: 12 },
];

/**
 * Parses a time: ISO 8601 (a date, which means 00:00 UTC, or a date and time with an offset), or a number or digits
 * that count the time since 1970, in seconds below 10^11 and in milliseconds otherwise. Returns null for anything else,
 * including days that do not exist.
 */
export function parseTimestamp(input: string | number): Timestamp | null {
  if (typeof input === "string" && ISO_8601.test(input)) {
    const moment = new Date(input.toUpperCase().replace(" ", "T"));
    const dayExists = new Date(`${input.slice(0, 10)}T00:00:00Z`).toJSON()?.startsWith(input.slice(0, 10));
    return dayExists ? moment.toJSON() : null;
  }
  const number = typeof input === "string" && /^\d{1,15}$/.test(input) ? Number(input) : input;
  if (typeof number !== "number" || !Number.isFinite(number)) return null;
  return toTimestamp(new Date(number < FIRST_MILLISECONDS ? number * 1000 : number));
}

/**
 * Tells whether a value is a {@link Timestamp}. The regular expression is the fast way, for days that every year has.
 */
export function isTimestamp(value: unknown): value is Timestamp {
  return typeof value === "string" && (TIMESTAMP.test(value) || parseTimestamp(value) === value);
}

const TIMESTAMP =
  /^\d{4}-(?:(?:0[13-9]|1[0-2])-(?:0[1-9]|[12]\d|30)|(?:0[13578]|1[02])-31|02-(?:0[1-9]|1\d|2[0-8]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/**
 * Parses a time as people write it: everything that {@link parseTimestamp} accepts, or a duration such as `90d`,
 * `12 hours`, `1y 6mo` or `in 2 weeks`. Months and years are those of the calendar. Returns null for anything else.
 *
 * @param now returns the time that a duration counts from
 */
export function parseMoment(input: string | number, now: () => Timestamp): Timestamp | null {
  const text = typeof input === "string" ? input.trim() : input;
  const timestamp = parseTimestamp(text);
  if (timestamp !== null || typeof text !== "string") return timestamp;
  const [, durations] = /^(?:in\s+)?((?:\d{1,6}\s*[a-z]+\s*)+)$/.exec(text.toLowerCase()) ?? [];
  if (durations === undefined) return null;
  const moment = new Date(now());
  for (const [, count, name = ""] of durations.matchAll(/(\d+)\s*([a-z]+)/g)) {
    const unit = UNITS.find(({ names }) => names.test(name));
    if (unit === undefined) return null;
    if (unit.months !== undefined) addMonths(moment, Number(count) * unit.months);
    moment.setTime(moment.getTime() + Number(count) * unit.length);
  }
  return toTimestamp(moment);
}

/**
 * Parses a length of time as people write it, such as `24h` or `90d`, and returns it in milliseconds. Returns null for
 * anything else, such as a date.
 *
 * @param now the time from which months and years count
 */
export function parseDuration(text: string, now: Timestamp): number | null {
  if (parseTimestamp(text.trim()) !== null) return null;
  const moment = parseMoment(text, () => now);
  return moment === null ? null : Date.parse(moment) - Date.parse(now);
}

/**
 * Parses a time that is past, as people write it: everything that {@link parseTimestamp} accepts, or how long ago it was, such as
 * `90d` or `2 hours ago`. Returns null for anything else.
 */
export function parsePast(text: string, now: Timestamp): Timestamp | null {
  const moment = parseTimestamp(text.trim());
  if (moment !== null) return moment;
  const length = parseDuration(text.replace(/\s+ago\s*$/, ""), now);
  return length === null ? null : toTimestamp(new Date(Date.parse(now) - length));
}

/** One month after January 31st is the last day of February. */
function addMonths(moment: Date, months: number): void {
  const day = moment.getUTCDate();
  moment.setUTCMonth(moment.getUTCMonth() + months);
  if (moment.getUTCDate() !== day) moment.setUTCDate(0);
}

/** Returns null for a year of more than four digits, which ISO 8601 writes differently. */
function toTimestamp(moment: Date): Timestamp | null {
  const text = moment.toJSON();
  return text?.length === 24 ? text : null;
}

/** Tells whether a time is set and comes before another. */
export function isBefore(moment: Timestamp | null, limit: Timestamp): boolean {
  return moment !== null && moment < limit;
}

/** Returns the time a number of days after another; before it if the number is negative. */
export function daysAfter(moment: Timestamp, days: number): Timestamp {
  return new Date(Date.parse(moment) + days * DAY).toISOString();
}
