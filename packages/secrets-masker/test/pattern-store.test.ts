import { describe, expect, it } from "vitest";
import { PatternStore } from "../src/search/pattern-store.ts";

const pattern = (text: string, before = "") => ({ text, before, after: "", wholeWord: false });
const owner = (name: string) => ({ name, variant: "value" });

describe("a pattern store", () => {
  it.each(["plain text", "pässwörter", "🔑🔑🔑🔑", "a\ud83d lone surrogate", "\u0100\u0200\u0300\u0400"])(
    "has %j in both alphabets",
    (text) => {
      const store = new PatternStore();
      store.add(pattern("another"), owner("A"));
      store.add(pattern(text), owner("A"));
      const bytes = new TextEncoder().encode(text);
      expect(store.idOf(text)).toBe(1);
      expect([store.length(1, "bytes"), store.length(1, "units")]).toEqual([bytes.length, text.length]);
      expect(store.hasUnits(1, `<${text}>`, 1, text.length)).toBe(true);
      expect(store.hasUnits(1, `<${text}>`, 0, text.length)).toBe(false);
      expect(store.hasBytes(1, new DataView(bytes.buffer), 0, bytes.length)).toBe(true);
      expect(store.isAscii).toBe(text === "plain text");
    },
  );

  it("knows a text again: one pattern, the owners and the neighbours of both", () => {
    const store = new PatternStore();
    for (const name of ["A", "B", "A"]) store.add(pattern("the text", name), owner(name));
    expect(store.size).toBe(1);
    expect(store.owners[0]?.map(({ name }) => name)).toEqual(["A", "B"]);
    expect(store.before[0]).toBe("AB");
  });

  it("finds each of many", () => {
    const store = new PatternStore();
    const texts = Array.from({ length: 3000 }, (_, index) => `text number ${index} é`);
    for (const text of texts) store.add(pattern(text), owner("A"));
    expect(texts.map((text) => store.idOf(text))).toEqual(texts.map((_, index) => index));
    expect(store.idOf("text number 3000 é")).toBeNull();
  });

  it("overwrites what it had when it grows, and all when it is wiped", () => {
    const store = new PatternStore();
    store.add(pattern("first text"), owner("A"));
    const { bytes } = store;
    store.add(pattern("x".repeat(1000)), owner("A"));
    expect(store.bytes).not.toBe(bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    store.wipe();
    expect(store.bytes.every((byte) => byte === 0)).toBe(true);
  });
});
