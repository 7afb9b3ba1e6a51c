import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { leaksOf, streamedInAllWays } from "./leaks.ts";
import recorded from "./recorded-forms.json" with { type: "json" };
import { SAMPLES } from "./sample-values.ts";

/**
 * What programs made of the sample values: Python 3.11.7, bash 5.2.15, dash 0.5.12, jq 1.6, coreutils 9.1, xxd 2022-01-14,
 * OpenSSL 3.0, Perl 5.36, SQLite 3.40, Java 17, and Go's templates in kubectl. White space and quotes around are theirs.
 */
const table = Object.entries(recorded).flatMap(([kind, forms]) =>
  Object.entries(forms).map(([programs, text]) => ({ programs, kind: kind as keyof typeof SAMPLES, text })),
);

/** As many characters as 8 of the value have at least. */
function lengthOfEight(programs: string): number {
  if (programs.includes("UTF-16")) return 22;
  if (programs.includes("list of bytes")) return 40;
  if (programs.includes("% x") || programs.includes("hex(")) return 24;
  if (/hex|xxd|%x/.test(programs)) return 16;
  return programs.includes("64") ? 11 : 8;
}

/** One masker for each value: what it has masked before changes nothing but its report. */
const maskers = Object.fromEntries(Object.entries(SAMPLES).map(([kind, value]) => [kind, createMasker([value])]));

describe.each(table)("M7: $kind by $programs", ({ programs, kind, text }) => {
  const masker = maskers[kind] ?? createMasker([]);

  it("shows no 8 characters of it, as text and in a stream that was cut anywhere", () => {
    expect(leaksOf(masker.mask(`${text}.`), text, lengthOfEight(programs))).toEqual([]);
    expect(streamedInAllWays(masker, `${text}.`)).toEqual(new Set([masker.mask(`${text}.`)]));
  });
});
