import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createNormaliser } from "../../test/record/support/normalise.mjs";
import { findDifferences } from "../record.mjs";

const ID = "667b57ac-7795-4c85-aa2d-edcc02249825";
const OTHER_ID = "9cef4b57-225f-4dd2-a957-1e412d98b293";

describe("createNormaliser", () => {
  it.each([
    ["a path", 'in "/tmp/box-Xy/.workflow"', 'in "<folder>/.workflow"'],
    ["the longer of two paths", "/tmp/box-Xy/below/a", "<below>/a"],
    ["ids, each by its number", `${ID} ${OTHER_ID} ${ID}`, "<id 1> <id 2> <id 1>"],
    ["fingerprints", "secret.key.fac078ab97297252", "secret.key.<key 1>"],
    ["data keys", "data keys: 13620510 active", "data keys: <data key 1> active"],
    ["times", '"createdAt":"2026-11-29T12:33:08.114Z"', '"createdAt":"<time>"'],
    ["times in names of files", "secrets.db.2026-11-29T12-33-16-599Z.backup", "secrets.db.<time>.backup"],
    ["times of answers", '"date":"Sun, 29 Nov 2026 12:33:08 GMT"', '"date":"<time>"'],
    ["the clock", "12:33:08.114 INFO  - workflow w", "<clock> INFO  - workflow w"],
    ["durations", 'in 12 ms "durationMs":1234', 'in <ms> ms "durationMs":<ms>'],
    ["durations between tabs", "w\tsuccess\t2026-11-29T12:33:08.114Z\t88\tA", "w\tsuccess\t<time>\t<ms>\tA"],
    ["days in tables", "apiKey  1  2026-11-29 12:33  2026-11-29", "apiKey  1  YYYY-MM-DD HH:MM  YYYY-MM-DD"],
    ["ports", "http://127.0.0.1:43210/", "http://127.0.0.1:<port>/"],
    ["control characters, which it shows", "a\r\n\u001b[31mb\u0007\tc", "a\n\\x1b[31mb\\x07\tc"],
  ])("replaces %s", (_, text, expected) => {
    const normalise = createNormaliser({ "/tmp/box-Xy": "<folder>", "/tmp/box-Xy/below": "<below>" });
    expect(normalise(text)).toBe(expected);
  });

  it("keeps what topics and help texts say", () => {
    const normalise = createNormaliser({});
    const kept = [
      "2100-01-01T00:00:00.000Z",
      "2020-01-01T00:00:00.000Z",
      "such as 2027-01-31 or 90d",
      "autokestra keys export 1f2e3d4c5b6a7988 --to ./copy.key",
      "http://127.0.0.1:1/",
      "3 secrets, 12345 characters",
    ];
    expect(kept.map(normalise)).toEqual(kept);
  });

  it("counts on from one text to the next", () => {
    const normalise = createNormaliser({});
    expect([ID, OTHER_ID, ID].map(normalise)).toEqual(["<id 1>", "<id 2>", "<id 1>"]);
  });
});

describe("findDifferences", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "record-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("finds what has changed, what is new and what is gone, and prints it", () => {
    const [before, after] = [join(folder, "before"), join(folder, "after")];
    for (const path of [before, after]) mkdirSync(path);
    for (const name of ["same", "changed", "gone"]) writeFileSync(join(before, name), `old ${name}\n`);
    writeFileSync(join(after, "same"), "old same\n");
    for (const name of ["changed", "new"]) writeFileSync(join(after, name), `now ${name}\n`);
    const printed: string[] = [];
    const found = findDifferences(["same", "changed", "gone", "new"], before, after, (text) => printed.push(text));
    expect(found).toEqual(["changed", "gone", "new"]);
    expect(printed.join("")).toMatch(/^-old changed\n\+now changed\n[\s\S]*^-old gone\n[\s\S]*^\+now new\n/m);
  });
});
