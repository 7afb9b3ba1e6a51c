import { expect, it } from "vitest";
import { createMasker } from "../src/index.ts";

const TOKEN = "aB3/xY7=qW9+`zK'<5>&\\";
const WORD = "pässwört-9zK";
const P = "***SECRET***";

/** By hand, from the sources of each. */
it.each([
  ["Mustache", TOKEN, "aB3&#x2F;xY7&#x3D;qW9+&#x60;zK&#39;&lt;5&gt;&amp;\\"],
  ["validator", TOKEN, "aB3&#x2F;xY7=qW9+&#96;zK&#x27;&lt;5&gt;&amp;&#x5C;"],
  ["he", TOKEN, "aB3/xY7=qW9+&#x60;zK&#x27;&#x3C;5&#x3E;&#x26;\\"],
  ["he, outside ASCII", WORD, "p&#xE4;ssw&#xF6;rt-9zK"],
  ["Perl's quotemeta", TOKEN, "aB3\\/xY7\\=qW9\\+\\`zK\\'\\<5\\>\\&\\\\"],
  ["Ruby's Shellwords, outside ASCII", WORD, "p\\ässw\\ört-9zK"],
  ["Go's %v of bytes", WORD, "112 195 164 115 115 119 195 182 114 116 45 57 122 75"],
  ["Go's %#v of bytes", WORD, "0x70, 0xc3, 0xa4, 0x73, 0x73, 0x77, 0xc3, 0xb6, 0x72, 0x74, 0x2d, 0x39, 0x7a, 0x4b"],
  ["Java's Arrays.toString of bytes", WORD, "112, -61, -92, 115, 115, 119, -61, -74, 114, 116, 45, 57, 122, 75"],
])("a value is masked as it is written by %s", (_, value, written) => {
  expect(createMasker([value]).mask(`<${written}>`)).toBe(`<${P}>`);
});
