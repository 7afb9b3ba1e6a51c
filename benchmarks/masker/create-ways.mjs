import { maskBytes, maskText } from "../../packages/secrets-masker/dist/adapters/mask-bytes.js";
import { createMaskStream } from "../../packages/secrets-masker/dist/adapters/mask-stream.js";
import { encodeText } from "../../packages/secrets-masker/dist/search/haystack.js";
import { Matcher } from "../../packages/secrets-masker/dist/search/matcher.js";
import { createTally } from "../../packages/secrets-masker/dist/search/tally.js";
import { createAhoCorasick } from "./aho-corasick.mjs";

/** @typedef {import("../../packages/secrets-masker/dist/search/pattern-store.js").PatternText} PatternText */
/** @typedef {"bytes" | "text"} Kind */
/**
 * Masks one chunk, in the form that it needs. `holdsBack`: holds back what could continue in the next chunk.
 *
 * @typedef {{ kind: Kind, mask: (chunk: any) => unknown, holdsBack?: true }} Way
 */

export const CHUNK = 65_536;
export const PLACEHOLDER = "***SECRET***";

/** What masking with these patterns takes. @param {readonly PatternText[]} patterns */
export function createRules(patterns) {
  const matcher = new Matcher();
  for (const pattern of patterns) matcher.add(pattern, { name: "SECRET", form: "value" });
  return { matcher, placeholder: encodeText(PLACEHOLDER), tally: createTally() };
}

/**
 * `owned`: a stream that owns its chunks. It writes into those with hits, so that these are read into an array of its own.
 *
 * @param {readonly PatternText[]} patterns
 * @returns {Record<"buffer" | "string" | "stream" | "owned" | "owned, hits", Way>}
 */
export function createOurWays(patterns) {
  const rules = createRules(patterns);
  const target = new Uint8Array(4 * CHUNK);
  const stream = createMaskStream(rules);
  const owner = createMaskStream(rules, { ownsChunks: true });
  const reader = createMaskStream(rules, { ownsChunks: true });
  return {
    buffer: { kind: "bytes", mask: (chunk) => maskBytes(rules, chunk, target) },
    string: { kind: "text", mask: (chunk) => maskText(rules, chunk) },
    stream: { kind: "bytes", holdsBack: true, mask: (chunk) => stream.push(chunk) },
    owned: { kind: "bytes", holdsBack: true, mask: (chunk) => owner.push(chunk) },
    "owned, hits": {
      kind: "bytes",
      holdsBack: true,
      mask: (chunk) => {
        target.set(chunk);
        return reader.push(target.subarray(0, chunk.length));
      },
    },
  };
}

/**
 * The least that masking takes where the chunk stays as it is: to search it, and to copy it. Nothing is masked.
 *
 * @param {readonly PatternText[]} patterns
 * @returns {Record<"search + copy" | "search + new array", Way>}
 */
export function createFloors(patterns) {
  const rules = createRules(patterns);
  const target = new Uint8Array(4 * CHUNK);
  // The first search builds its tables.
  maskBytes(rules, new Uint8Array(CHUNK), target);
  return {
    "search + copy": {
      kind: "bytes",
      mask: (chunk) => {
        maskBytes(rules, chunk, target);
        target.set(chunk);
      },
    },
    "search + new array": {
      kind: "bytes",
      mask: (chunk) => {
        maskBytes(rules, chunk, target);
        return new Uint8Array(chunk);
      },
    },
  };
}

/**
 * The alternatives. Those that cannot be built are left out.
 *
 * @param {readonly PatternText[]} patterns
 * @returns {Record<string, Way>}
 */
export function createOtherWays(patterns) {
  const texts = patterns.map(({ text }) => text).sort((a, b) => b.length - a.length);
  const regExp = createRegExp(texts);
  const ahoCorasick = createAhoCorasick(texts, Buffer.from(PLACEHOLDER));
  return {
    ...(regExp === null ? {} : { regExp: { kind: "text", mask: regExp } }),
    ...(texts.length > 50_000 ? {} : { replaceAll: { kind: "text", mask: (chunk) => replaceEach(chunk, texts) } }),
    ...(ahoCorasick === null ? {} : { ahoCorasick: { kind: "bytes", mask: ahoCorasick } }),
  };
}

/** @param {string} chunk @param {readonly string[]} texts */
function replaceEach(chunk, texts) {
  return texts.reduce((rest, text) => rest.replaceAll(text, () => PLACEHOLDER), chunk);
}

/** @param {readonly string[]} texts The longest first. @returns {((text: string) => string) | null} */
function createRegExp(texts) {
  if (texts.length > 10_000) return null;
  const alternation = new RegExp(texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|"), "g");
  return (text) => text.replace(alternation, () => PLACEHOLDER);
}
