import { describe, expect, it } from "vitest";
import { drawTable } from "../src/output/table.ts";

const HEADER = ["NAME", "TYPE", "VERSION", "UPDATED", "EXPIRES", "TAGS", "DESCRIPTION"];
const TIME = "2026-11-29T08:05:46.966Z";
const LONG = "what this secret is for, said with more words than any terminal has columns, and then said again";

const rows = [
  ["GITHUB_TOKEN", "apiKey", "1", TIME, "", "", ""],
  ["DATABASE_PASSWORD", "basicAuth", "12", TIME, TIME, "production,eu", LONG],
  ["名前のトークン", "custom", "3", TIME, "", "", "説明".repeat(60)],
];

/** Columns of a terminal: these tests use no other wide characters. */
const columns = (line: string) => line.length + (line.match(/[\u3000-\u9fff]/g)?.length ?? 0);

describe("KP12: a table", () => {
  it.each([40, 80, 100, 120])("is no wider than %d columns, and shows each row on one line", async (room) => {
    const lines = (await drawTable(HEADER, rows, room)).split("\n");
    expect(lines).toHaveLength(rows.length + 2);
    expect(lines.filter((line) => columns(line) > room)).toEqual([]);
    expect(lines[2]).toMatch(/…$/);
  });

  it("cuts the widest column first, and keeps names and times whole", async () => {
    const [head, , long] = (await drawTable(HEADER, rows, 120)).split("\n");
    expect(head).toMatch(/^NAME +TYPE +VERSION +UPDATED +EXPIRES +TAGS +DESCRIPTION$/);
    expect(long).toMatch(
      /^DATABASE_PASSWORD {2}basicAuth {2}12 +2026-11-29 08:05|^DATABASE_PASSWORD {2}basicAuth {2}12 +2026-11-29 /,
    );
    expect(long).toContain("production,eu  what this secret is for");
  });

  it("keeps columns under each other beside wide characters", async () => {
    const lines = (
      await drawTable(
        ["NAME", "TYPE"],
        [
          ["名前", "a"],
          ["AB", "b"],
        ],
      )
    ).split("\n");
    expect(lines).toEqual(["NAME  TYPE", "名前  a", "AB    b", ""]);
  });

  it("cuts nothing where everything fits, and draws cells of several lines", async () => {
    expect(await drawTable(["A", "B"], [["one\ntwo", LONG]], 200)).toBe(`A    B\none  ${LONG}\ntwo\n`);
  });
});
