import measure from "fast-string-truncated-width";
import { describe, expect, it } from "vitest";
import { codeFrame } from "../src/problem.ts";

const columns = (line: string) => line.length + (line.match(/[\u3000-\u9fff]/g)?.length ?? 0);

describe("KP12: a code frame", () => {
  const source = `${"a".repeat(100)}{{ place }}${"b".repeat(200)}`;

  it.each([40, 80, 100, 120, 200])("is %d columns wide at most, with the place whole", (width) => {
    const [, line = "", mark = ""] = codeFrame("w.yaml", source, { line: 1, column: 101, length: 11 }, width).split(
      "\n",
    );
    expect(line.length).toBeLessThanOrEqual(width);
    expect(line).toContain("{{ place }}");
    expect(line.slice(mark.indexOf("^"), mark.lastIndexOf("^") + 1)).toBe("{{ place }}");
  });

  it("shows a line whole where it fits", () => {
    expect(codeFrame("w.yaml", source, { line: 1, column: 101, length: 11 }, 400)).toContain(`1 | ${source}\n`);
  });

  it("never cuts the place, however narrow the terminal is", () => {
    expect(codeFrame("w.yaml", source, { line: 1, column: 101, length: 11 }, 8)).toContain("{{ place }}");
  });

  it("puts the marks under the place behind wide characters", () => {
    const [, line = "", mark = ""] = codeFrame("w.yaml", "名前: xx", { line: 1, column: 5, length: 2 }).split("\n");
    expect(columns(mark.slice(0, mark.indexOf("^")))).toBe(columns(line.slice(0, line.indexOf("xx"))));
  });

  it.each([40, 80, 120])("is %d columns wide at most where characters are wide", (width) => {
    for (const filler of ["名前です", "🔑x", "👩‍👩‍👧 é", "\u0301a"]) {
      const line = `${filler.repeat(60)}{{ 場所 }}${filler.repeat(60)}`;
      const column = filler.length * 60 + 1;
      const [, shown = "", mark = ""] = codeFrame("w.yaml", line, { line: 1, column, length: 8 }, width).split("\n");
      expect(measure(shown).width).toBeLessThanOrEqual(width);
      expect(measure(shown).width).toBeGreaterThan(width - 8);
      expect(shown.isWellFormed()).toBe(true);
      expect(mark.indexOf("^")).toBe(measure(shown.slice(0, shown.indexOf("{{"))).width);
      expect(mark.replaceAll(/[^^]/g, "")).toHaveLength(measure("{{ 場所 }}").width);
    }
  });

  it("shows no line with a token in it", () => {
    expect(codeFrame("w.yaml", "a: ghp_16C7e42F292c", { line: 1, column: 1, length: 1 })).toBe(" --> w.yaml:1:1");
  });
});
