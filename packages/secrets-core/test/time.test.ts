import { describe, expect, it } from "vitest";
import { parseTimestamp } from "../src/index.ts";

describe("parseTimestamp", () => {
  it.each([
    ["2027-01-31", "2027-01-31T00:00:00.000Z"],
    ["2027-01-31T12:30Z", "2027-01-31T12:30:00.000Z"],
    ["2027-01-31T12:30:15.5+02:00", "2027-01-31T10:30:15.500Z"],
    ["2028-02-29", "2028-02-29T00:00:00.000Z"],
    ["0", "1970-01-01T00:00:00.000Z"],
    ["1800000000000", "2027-01-15T08:00:00.000Z"],
    [1_800_000_000_000, "2027-01-15T08:00:00.000Z"],
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
