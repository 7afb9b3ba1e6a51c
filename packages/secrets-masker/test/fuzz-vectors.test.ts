import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createMasker } from "../src/index.ts";
import { streamedInAllWays } from "./leaks.ts";

interface FuzzCase {
  readonly id: string;
  /** All bytes in hex. */
  readonly plaintext: string;
  readonly secrets: readonly string[];
}

const LIPSUM = "Lorem ipsum dolor sit amet";

/** Nested, overlapping, touching, repeated, almost. */
const OWN: readonly FuzzCase[] = [
  ["ipsum"],
  ["ipsum", "amet"],
  ["ipsum dolor", "dolor"],
  ["ipsum", "ipsum dolor"],
  ["ipsum dolor", "dolor sit"],
  ["ipsum dolor", "dolor sEt", "sit amet"],
  ["Lorem ipsum dolor sEt", "ipsum", "dolor"],
  ["a", "e", "i", "o"],
  ["do", " dol", "m dolo", "um dolor"],
].map((secrets) => ({ id: secrets.join("|"), plaintext: hex(LIPSUM), secrets: secrets.map(hex) }));

/** Every byte becomes 8 characters, so that any secret is long enough to be masked wherever it stands. */
function spread(bytes: string): string {
  return (bytes.match(/../g) ?? []).map((byte) => `<${byte}---->`).join("");
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

/** Those of Buildkite's agent: see vectors/README.md. */
function readCases(): readonly FuzzCase[] {
  const file = new URL("vectors/buildkite-fuzz-replacer.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { cases: FuzzCase[] }).cases;
}

describe("M2: no secret is in what comes out, and no cut changes that", () => {
  it.each([...OWN, ...readCases()])("$id", ({ plaintext, secrets }) => {
    const known = secrets.filter((secret) => secret !== "").map(spread);
    const masker = createMasker(known);
    const masked = masker.mask(`${spread(plaintext)}.`);
    expect(known.filter((secret) => masked.includes(secret))).toEqual([]);
    expect(masked.replaceAll("***SECRET***", "").length).toBeLessThanOrEqual(spread(plaintext).length + 1);
    expect(streamedInAllWays(masker, `${spread(plaintext)}.`)).toEqual(new Set([masked]));
  });
});
