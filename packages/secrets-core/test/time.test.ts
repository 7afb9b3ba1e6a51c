import { describe, expect, it } from "vitest";
import { parseDuration, parseMoment, parsePast, parseTimestamp } from "../src/internal.ts";

describe("parseTimestamp", () => {
  it.each([
    ["2027-01-31", "2027-01-31T00:00:00.000Z"],
    ["2027-01-31T12:30Z", "2027-01-31T12:30:00.000Z"],
    ["2027-01-31T12:30:15.5+02:00", "2027-01-31T10:30:15.500Z"],
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
    ["0", "1970-01-01T00:00:00.000Z"],
    ["1800000000000", "2027-01-15T08:00:00.000Z"],
    [1_800_000_000_000, "2027-01-15T08:00:00.000Z"],
    ["1796083200", "2026-12-01T00:00:00.000Z"],
    [1_796_083_200, "2026-12-01T00:00:00.000Z"],
    [1_796_083_200.5, "2026-12-01T00:00:00.500Z"],
    [99_999_999_999, "5138-11-16T09:46:39.000Z"],
    [100_000_000_000, "1973-03-03T09:46:40.000Z"],
    ["2027-01-31 12:30:15+00:00", "2027-01-31T12:30:15.000Z"],
    ["2027-01-31t12:30z", "2027-01-31T12:30:00.000Z"],
  ])("reads %j", (input, expected) => {
    expect(parseTimestamp(input)).toBe(expected);
  });

  it.each([
    "",
    "tomorrow",
    "2027-02-29",
    "2027-13-01",
    "2027-01-31T12:30",
    "2027-01-31T25:00Z",
    "31.01.2027",
    "-1",
    "1e3",
    " 2027-01-31",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    9e15,
  ])("refuses %j", (input) => {
    expect(parseTimestamp(input)).toBe(null);
  });
});

describe("KD4: parseMoment", () => {
  const now = "2026-11-30T12:00:00.000Z";

  it.each([
    ["1796083200", "2026-12-01T00:00:00.000Z"],
    ["2027-01-01", "2027-01-01T00:00:00.000Z"],
    [" 1796083200\n", "2026-12-01T00:00:00.000Z"],
    ["90d", "2027-02-28T12:00:00.000Z"],
    ["in 2 weeks", "2026-12-14T12:00:00.000Z"],
    ["In 2 Weeks", "2026-12-14T12:00:00.000Z"],
    ["2w", "2026-12-14T12:00:00.000Z"],
    ["1 day", "2026-12-01T12:00:00.000Z"],
    ["1h30m", "2026-11-30T13:30:00.000Z"],
    ["1d 12 hours", "2026-12-02T00:00:00.000Z"],
    ["45s", "2026-11-30T12:00:45.000Z"],
    ["3 months", "2027-02-28T12:00:00.000Z"],
    ["1y 6mo", "2028-05-30T12:00:00.000Z"],
  ])("reads %j", (input, expected) => {
    expect(parseMoment(input, () => now)).toBe(expected);
  });

  it.each(["", "in", "d", "90", "90 x", "90dd", "-1d", "1.5d", "90d ago", "999999y", "next week", "tomorrow"])(
    "refuses %j or takes it for seconds",
    (input) => {
      expect(parseMoment(input, () => now)).toBe(input === "90" ? "1970-01-01T00:01:30.000Z" : null);
    },
  );
});

it.each<[string, number | null]>([
  ["24h", 86_400_000],
  ["90d", 90 * 86_400_000],
  ["1d 12 hours", 36 * 3_600_000],
  ["1mo", 30 * 86_400_000],
  ["0s", 0],
  ["2027-01-31", null],
  ["90", null],
  ["daily", null],
  ["", null],
])("parseDuration of %j is %j", (text, expected) => {
  expect(parseDuration(text, "2026-11-22T12:00:00.000Z")).toBe(expected);
});

it.each<[string, string | null]>([
  ["2h", "2026-11-22T10:00:00.000Z"],
  ["90d", "2026-08-24T12:00:00.000Z"],
  ["2 weeks ago", "2026-11-08T12:00:00.000Z"],
  [" 2026-01-31 ", "2026-01-31T00:00:00.000Z"],
  ["90", "1970-01-01T00:01:30.000Z"],
  ["ago", null],
  ["yesterday", null],
  ["", null],
])("parsePast of %j is %j", (text, expected) => {
  expect(parsePast(text, "2026-11-22T12:00:00.000Z")).toBe(expected);
});
