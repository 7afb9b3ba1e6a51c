/** A moment as ISO 8601 in UTC with milliseconds, `2026-11-22T12:00:00.000Z`: the only form in which autokestra keeps times. */
export type Timestamp = string;

const ISO_8601 = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/i;

/** From here on a number counts milliseconds, below it seconds: as seconds it would be the year 5138, as milliseconds 1973. */
const FIRST_MILLISECONDS = 1e11;

/** How people write a moment, for messages. */
export const TIME_EXAMPLES = "2027-01-31, 2027-01-31T12:00:00Z, 90d, `in 2 weeks`, or seconds since 1970";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Milliseconds of one, or the calendar's months. */
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
 * Reads ISO 8601 (a date, which begins at 00:00 UTC, or a date and time with an offset), or the time since 1970 as a number or as
 * digits: below 10^11 in seconds, from there on in milliseconds. Returns null for anything else, also for days that no calendar has.
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

/** True for a moment in the one form in which autokestra keeps times. Those of days that every year has are known at once. */
export function isTimestamp(value: unknown): value is Timestamp {
  return typeof value === "string" && (TIMESTAMP.test(value) || parseTimestamp(value) === value);
}

const TIMESTAMP =
  /^\d{4}-(?:(?:0[13-9]|1[0-2])-(?:0[1-9]|[12]\d|30)|(?:0[13578]|1[02])-31|02-(?:0[1-9]|1\d|2[0-8]))T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;

/**
 * Reads a moment as people write it: all that {@link parseTimestamp} reads, or the time until then: `90d`, `12 hours`, `1y 6mo`,
 * `in 2 weeks`. Months and years are those of the calendar.
 *
 * @param now gives the moment that `in 2 weeks` counts from
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

/** A month after January 31st is the last day of February. */
function addMonths(moment: Date, months: number): void {
  const day = moment.getUTCDate();
  moment.setUTCMonth(moment.getUTCMonth() + months);
  if (moment.getUTCDate() !== day) moment.setUTCDate(0);
}

/** Null for a year of more than four digits, which is written in another form. */
function toTimestamp(moment: Date): Timestamp | null {
  const text = moment.toJSON();
  return text?.length === 24 ? text : null;
}

/** True where there is such a moment, and it comes before the other. */
export function isBefore(moment: Timestamp | null, limit: Timestamp): boolean {
  return moment !== null && moment < limit;
}

/** The moment so many days after another, or before it. */
export function daysAfter(moment: Timestamp, days: number): Timestamp {
  return new Date(Date.parse(moment) + days * DAY).toISOString();
}
