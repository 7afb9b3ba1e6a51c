// The slow reference, in JavaScript, for tests, for test/faults and for benchmarks.

/**
 * @typedef {import("./reference-mask.d.mts").ReferencePattern} Pattern
 *
 * @typedef {object} Span
 * @property {number} textStart Where the pattern's own text begins; `start` and `end` have the neighbours that belong to it.
 * @property {number} start
 * @property {number} end
 * @property {string | null} name
 */

/** @type {typeof import("./reference-mask.d.mts").referenceMask} */
export function referenceMask(text, patterns, placeholder, endIsCut = false) {
  const spans = [...matches(text, patterns), ...(endIsCut ? cutOff(text, patterns) : [])];
  spans.sort((a, b) => a.textStart - b.textStart || a.start - b.start || b.end - a.end);
  const runs = toRuns(spans);
  let masked = "";
  let at = 0;
  for (const { start, end } of runs) {
    masked += text.slice(at, start) + placeholder;
    at = end;
  }
  const names = runs.flatMap((run) => [...run.names]);
  const counts = Object.fromEntries(names.map((name) => [name, names.filter((other) => other === name).length]));
  return { text: masked + text.slice(at), counts };
}

/** @param {readonly Span[]} spans */
function toRuns(spans) {
  /** @type {{ start: number, end: number, isSecret: boolean, names: Set<string> }[]} */
  const runs = [];
  let opaqueEnd = 0;
  for (const { start, end, name } of spans) {
    if (name === null && start < opaqueEnd) continue;
    if (name === null) opaqueEnd = end;
    const last = runs.at(-1);
    if (last !== undefined && end <= last.end) continue;
    const joins = last !== undefined && (start < last.end || (start === last.end && last.isSecret && name !== null));
    const run = joins ? last : { start, end, isSecret: false, names: new Set() };
    if (!joins) runs.push(run);
    run.end = end;
    if (name !== null) {
      run.isSecret = true;
      run.names.add(name);
    }
  }
  return runs;
}

/**
 * Every place where a pattern stands, as it is or with escape sequences inside.
 *
 * @param {string} text
 * @param {readonly Pattern[]} patterns
 */
function matches(text, patterns) {
  const positions = plainPositions(text);
  const plain = positions.map((position) => text.charAt(position)).join("");
  return patterns.flatMap((pattern) => {
    const { length } = pattern.text;
    const raw = placesOf(text, pattern.text).map((start) => ({ start, end: start + length }));
    const inside = placesOf(pattern.name === null ? "" : plain, pattern.text)
      .map((start) => ({ start: positions[start] ?? 0, end: (positions[start + length - 1] ?? 0) + 1 }))
      .filter(({ start, end }) => end - start > length);
    return [...raw, ...inside]
      .filter(({ end }) => !pattern.wholeWord || !/^\w\w/.test(text.slice(end - 1, end + 1)))
      .filter(({ start }) => !pattern.wholeWord || beginsWord(text, start))
      .map(({ start, end }) => withNeighbours(text, start, end, pattern));
  });
}

/**
 * Every end of the text, of 8 units at least, that is the beginning of a longer pattern.
 *
 * @param {string} text
 * @param {readonly Pattern[]} patterns
 */
function cutOff(text, patterns) {
  const all = Array.from({ length: text.length }, (_, index) => index);
  const ends = [all, plainPositions(text)].flatMap((positions) =>
    positions.slice(0, Math.max(0, positions.length - 7)).map((_, start) => positions.slice(start)),
  );
  return patterns.flatMap((pattern) =>
    ends
      .filter((positions) => positions.length < pattern.text.length)
      .filter((positions) => pattern.text.startsWith(positions.map((position) => text.charAt(position)).join("")))
      .map((positions) => ({ start: positions[0] ?? 0, end: (positions.at(-1) ?? 0) + 1, length: positions.length }))
      .filter(({ start }) => !pattern.wholeWord || beginsWord(text, start))
      .filter(({ start, end, length }) => pattern.name !== null || end - start === length)
      .map(({ start, end }) => ({ ...withNeighbours(text, start, end, pattern), end })),
  );
}

/** @param {string} text @param {string} wanted */
function placesOf(text, wanted) {
  const places = [];
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) places.push(at);
  return places;
}

const MAX_SEQUENCE = 256;
const [ESC, BEL] = ["\u001b", "\u0007"];
const SEQUENCE = new RegExp(
  String.raw`^${ESC}(?:\[[0-?]*[ -/]*[@-~]|\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\)|[ -/]+[0-~])`,
);
const CUT_OFF_SEQUENCE = new RegExp(String.raw`^${ESC}(?:\[[0-?]*[ -/]*|\][^${BEL}${ESC}]*${ESC}?|[ -/]*)$`);

/** Where the units are that are no part of an escape sequence. @param {string} text */
function plainPositions(text) {
  const positions = [];
  for (let at = 0; at < text.length; at++) {
    const length = text[at] === ESC ? sequenceLength(text.slice(at)) : 0;
    if (length === 0) positions.push(at);
    else at += length - 1;
  }
  return positions;
}

/** @param {string} text */
function sequenceLength(text) {
  const whole = SEQUENCE.exec(text)?.[0].length ?? Infinity;
  const cut = CUT_OFF_SEQUENCE.exec(text)?.[0].length ?? Infinity;
  if (whole <= MAX_SEQUENCE) return whole;
  return cut < MAX_SEQUENCE ? cut : 0;
}

const HEX = "[0-9A-Fa-f]";
const ESCAPES = [
  String.raw`\\[nrtbfv0ae]`,
  `\\\\u${HEX}{4}`,
  `\\\\x${HEX}{2}`,
  `%${HEX}{2}`,
  String.raw`${ESC}\[[0-9;]*[A-Za-z]`,
].map((pattern) => new RegExp(`^(?:${pattern})$`));

/**
 * At the beginning, behind what is no letter, digit or underscore, or behind an escape of 2 to 12 units.
 *
 * @param {string} text
 * @param {number} start
 */
function beginsWord(text, start) {
  const lengths = Array.from({ length: Math.min(12, start) }, (_, index) => index + 1);
  /** @param {string} units */
  const isEscape = (units) => ESCAPES.some((pattern) => pattern.test(units));
  return (
    start === 0 ||
    !/^\w\w/.test(text.slice(start - 1, start + 1)) ||
    lengths.some((length) => isEscape(text.slice(start - length, start)))
  );
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {Pattern} pattern
 * @returns {Span}
 */
function withNeighbours(text, from, to, { before, after, name }) {
  const start = from > 0 && before.includes(text.charAt(from - 1)) ? from - 1 : from;
  const end = to < text.length && after.includes(text.charAt(to)) ? to + 1 : to;
  return { textStart: from, start, end, name };
}
