import { describe, expect, it } from "vitest";
import { parseSqliteTime } from "../../src/import/fernet-database.ts";

describe("parseSqliteTime", () => {
  it.each([
    ["2026-11-22 12:00:00", "2026-11-22T12:00:00.000Z"],
    ["2026-11-22 12:00:00.123456", "2026-11-22T12:00:00.123Z"],
    ["2026-11-22T12:00", "2026-11-22T12:00:00.000Z"],
    ["2026-11-22 12:00:00+02:00", "2026-11-22T10:00:00.000Z"],
    ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"],
    ["2026-11-22", "2026-11-22T00:00:00.000Z"],
    ["2026-02-30 12:00:00", null],
    ["2026-11-22 25:00:00", null],
    ["2026-11-22 12:00:00 UTC", null],
    ["1700000000", null],
    ["2460000.5", null],
    ["", null],
    ["yesterday", null],
  ])("%j -> %j", (text, time) => {
    expect(parseSqliteTime(text)).toBe(time);
  });
});
