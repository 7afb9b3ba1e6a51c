// M2, M4, M5, M17: random patterns in random texts, masked as a whole and in pieces, against the slow reference.
import { maskBytes, maskText } from "../../packages/secrets-masker/dist/adapters/mask-bytes.js";
import { createMaskStream } from "../../packages/secrets-masker/dist/adapters/mask-stream.js";
import { encodeText } from "../../packages/secrets-masker/dist/search/haystack.js";
import { Matcher } from "../../packages/secrets-masker/dist/search/matcher.js";
import { createTally } from "../../packages/secrets-masker/dist/search/tally.js";
import { referenceMask } from "../../packages/secrets-masker/test/reference-mask.mjs";
import { createRandom, pick as pickOf, SEED } from "./support/random.mjs";
import { inRound, printRows } from "./support/rounds.mjs";

/** @typedef {import("../../packages/secrets-masker/test/reference-mask.mjs").ReferencePattern} Pattern */

const CASES = process.argv.includes("--short") ? 10_000 : 120_000;
const PLACEHOLDERS = ["*ab*", "***SECRET***", "aba"];
const ESCAPES = [
  "\u001b[0m",
  "\u001b[1;31m",
  "\u001b]8;;b\u0007",
  "\u001b]a\u001b\\",
  "\u001b(B",
  "\u001b[",
  "\u001b]",
  "\u001b",
];
const ENDS = ["\\a", "\\b", "%ab", "\\xba", "\u001b[12;34;567b", " ", "_", "\r\n"];

const random = createRandom(SEED);
/** From 0 up to, without, this. @param {number} end */
const below = (end) => Math.floor(random() * end);
/** @template T @param {readonly T[]} list @returns {T} */
const pick = (list) => pickOf(random, list);
/** @param {number} length @param {readonly string[]} alphabet */
const letters = (length, alphabet) => Array.from({ length }, () => pick(alphabet)).join("");

/** @param {readonly string[]} alphabet @param {string} placeholder @returns {Pattern[]} */
function randomPatterns(alphabet, placeholder) {
  const texts = new Set();
  const count = below(200) === 0 ? 600 + below(200) : below(40) === 0 ? 70 : 1 + below(8);
  for (let index = 0; index < count; index++) {
    const length = below(12) === 0 ? 30 + below(270) : 4 + below(below(2) === 0 ? 6 : 24);
    const [known = ""] = texts;
    // Common beginnings, and one inside another.
    const text =
      below(4) === 0 ? known.slice(0, below(known.length + 1)) + letters(length, alphabet) : letters(length, alphabet);
    if (text !== placeholder) texts.add(text);
  }
  const neighbours = ["", "", "", alphabet[0] ?? "", "ab"];
  return Array.from(texts, (text) => ({
    text,
    before: pick(neighbours),
    after: pick(neighbours),
    wholeWord: text.length < 16 && below(3) === 0,
    name: pick(["ONE", "TWO", "THREE"]),
  }));
}

/** @param {readonly Pattern[]} patterns @param {readonly string[]} alphabet @param {string} placeholder @param {boolean} coloured */
function randomText(patterns, alphabet, placeholder, coloured) {
  return Array.from({ length: below(14) }, () => {
    const { text } = patterns.length === 0 ? { text: placeholder } : pick(patterns);
    const cut = below(text.length + 1);
    switch (below(coloured ? 9 : 7)) {
      case 0:
        return letters(below(40), alphabet);
      case 1:
        return text.slice(0, cut);
      case 2:
        return text.slice(cut);
      case 3:
        return pick(ENDS) + text;
      case 4:
        return placeholder;
      case 5:
      case 6:
        return text;
      default:
        return Array.from({ length: 1 + below(3) }).reduce((/** @type {string} */ all) => {
          const at = below(all.length + 1);
          return all.slice(0, at) + pick(ESCAPES) + all.slice(at);
        }, text);
    }
  }).join("");
}

/** @param {readonly (readonly string[])[]} alphabets */
function randomCase(alphabets) {
  const alphabet = pick(alphabets);
  const placeholder = pick(PLACEHOLDERS);
  const coloured = below(3) === 0;
  const patterns = randomPatterns(alphabet, placeholder);
  return { placeholder, coloured, patterns, text: randomText(patterns, alphabet, placeholder, coloured) };
}

/** Some patterns are added when others have been looked for already. @param {readonly Pattern[]} patterns @param {string} placeholder */
function rulesFor(patterns, placeholder) {
  const rules = { matcher: new Matcher(), placeholder: encodeText(placeholder), tally: createTally() };
  const late = below(patterns.length + 1);
  for (const [index, { name, ...pattern }] of patterns.entries()) {
    if (index === late) maskBytes(rules, Buffer.from(maskText(rules, "no pattern is this text")));
    if (name !== null) rules.matcher.add(pattern, { name, form: "value" });
  }
  return rules;
}

/** @param {import("../../packages/secrets-masker/dist/search/search.js").MaskRules} rules */
const countsOf = ({ tally }) =>
  Object.fromEntries(Object.entries(tally.report()).map(([name, { count }]) => [name, count]));

/** UTF-8, a unit for each byte. @param {string} text */
const utf8 = (text) => Buffer.from(text).toString("latin1");

/** @param {readonly Pattern[]} patterns @param {string} placeholder @returns {Pattern[]} */
const withPlaceholder = (patterns, placeholder) => [
  ...(placeholder.length < 4 ? [] : [{ text: placeholder, before: "", after: "", wholeWord: false, name: null }]),
  ...patterns,
];

/** @param {unknown} a @param {unknown} b */
const isSame = (a, b) => JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
/** @param {unknown} value */
const sorted = (value) =>
  typeof value === "object" && value !== null ? Object.entries(value).map(String).sort() : value;

/** @typedef {{ cases: number, differences: number, colours: number, colourDifferences: number, streams: number, streamDifferences: number, overHeld: number }} Result */
/** @type {Result} */
const result = {
  cases: 0,
  differences: 0,
  colours: 0,
  colourDifferences: 0,
  streams: 0,
  streamDifferences: 0,
  overHeld: 0,
};

/** @param {string} what @param {unknown} details */
function report(what, details) {
  if (result.differences + result.colourDifferences + result.streamDifferences + result.overHeld > 3) return;
  console.log(what, JSON.stringify(details));
}

function tryWhole() {
  const { placeholder, coloured, patterns, text } = randomCase([
    ["a", "b"],
    ["a", "b", "*"],
    ["a", "b", "c", "é"],
    ["a", "1", "ж", "+"],
    ["a", "b", "c", "d", "e", "f"],
  ]);
  const all = withPlaceholder(patterns, placeholder);
  const expected = referenceMask(text, all, placeholder);
  const inText = rulesFor(patterns, placeholder);
  const actual = maskText(inText, text);
  const inBytes = rulesFor(patterns, placeholder);
  const encoded = all.map((pattern) => ({ ...pattern, text: utf8(pattern.text) }));
  const expectedBytes = referenceMask(utf8(text), encoded, utf8(placeholder));
  const actualBytes = Buffer.from(maskBytes(inBytes, Buffer.from(text))).toString("latin1");
  const same =
    actual === expected.text &&
    isSame(countsOf(inText), expected.counts) &&
    actualBytes === expectedBytes.text &&
    isSame(countsOf(inBytes), expectedBytes.counts);
  result.cases += 1;
  if (coloured) result.colours += 1;
  if (same) return;
  if (coloured) result.colourDifferences += 1;
  else result.differences += 1;
  report("whole", { patterns, text, actual, expected, actualBytes, expectedBytes });
}

function tryStream() {
  const { placeholder, coloured, patterns, text } = randomCase([
    ["a", "b"],
    ["a", "b", "*"],
    ["a", "b", "c", "é"],
    ["a", "b", "c", "d"],
  ]);
  const encoded = withPlaceholder(patterns, placeholder).map((pattern) => ({ ...pattern, text: utf8(pattern.text) }));
  const expected = referenceMask(utf8(text), encoded, utf8(placeholder), true);
  const rules = rulesFor(patterns, placeholder);
  const ownsChunks = below(2) === 0;
  const stream = createMaskStream(rules, { ownsChunks });
  const bytes = Buffer.from(text);
  const longest = Math.max(...encoded.map((pattern) => pattern.text.length));
  const most = pick([1, 3, 60]);
  const parts = [];
  let given = 0;
  while (given < bytes.length) {
    const chunk = Buffer.from(bytes.subarray(given, given + 1 + below(most)));
    given += chunk.length;
    parts.push(stream.push(chunk));
    if (!ownsChunks) chunk.fill(0);
  }
  parts.push(stream.flush());
  const actual = Buffer.concat(parts).toString("latin1");
  result.streams += 1;
  // What flush still has to give is what was held: less than the longest pattern and a neighbour.
  if (!coloured && !text.includes("\u001b") && (parts.at(-1)?.length ?? 0) > Math.max(longest, placeholder.length * 8))
    result.overHeld += 1;
  if (actual === expected.text && isSame(countsOf(rules), expected.counts)) return;
  result.streamDifferences += 1;
  report("stream", { patterns, text, actual, expected, counts: countsOf(rules) });
}

for (let index = 0; index < CASES / 2; index++) {
  await inRound(`text ${index}`, tryWhole);
  await inRound(`stream ${index}`, tryStream);
}
const { cases, differences, colours, colourDifferences, streams, streamDifferences, overHeld } = result;
printRows([
  {
    id: "M4",
    figure: `${cases - colours} texts and their bytes, nested, overlapping and touching patterns: ${differences} differ from the reference (seed ${SEED})`,
    pass: differences === 0,
  },
  {
    id: "M5",
    figure: `${streams} streams in chunks of 1 to 60 bytes: ${streamDifferences} differ, ${overHeld} held too much (seed ${SEED})`,
    pass: streamDifferences + overHeld === 0,
  },
  {
    id: "M17",
    figure: `${colours} texts with escape sequences in and around patterns: ${colourDifferences} differ (seed ${SEED})`,
    pass: colourDifferences === 0,
  },
]);
