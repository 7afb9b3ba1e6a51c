// What differs between two runs, machines and versions of Node, in words that do not.

/** Ids that the help texts print as examples. */
const EXAMPLES = new Set(["1f2e3d4c5b6a7988", "0b9c2f3e-8a41-4a53-9c56-2f9a0c1d7e88"]);

/** Each distinct one gets a number, so that the same id twice is seen as the same. @type {readonly (readonly [RegExp, string])[]} */
const NUMBERED = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "id"],
  [/\b[0-9a-f]{16}\b/g, "key"],
  [/\b[0-9a-f]{8}\b/g, "data key"],
];

const NOW = "20(?:2[1-9]|[3-8]\\d|9[0-8])-\\d\\d-\\d\\d";

/** Times of the years before 2021 and after 2098 are those that the topics give. @type {readonly (readonly [RegExp, string])[]} */
const REPLACED = [
  [new RegExp(`\\b${NOW}T\\d\\d[:-]\\d\\d[:-]\\d\\d[.-]\\d{3}Z`, "g"), "<time>"],
  [/\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b/g, "<time>"],
  [/(?<![\d:])\d\d:\d\d:\d\d\.\d{3}(?= )/g, "<clock>"],
  // Tables, in which columns and what is cut off stay as wide as they are.
  [new RegExp(`(?<= {2})${NOW} \\d\\d:\\d\\d`, "g"), "YYYY-MM-DD HH:MM"],
  [new RegExp(`(?<= {2})${NOW}`, "g"), "YYYY-MM-DD"],
  [/(?<= {2})\d{4}-\d\d-…/g, "YYYY-MM-…"],
  [/\b[0-9a-f]{8}-[0-9a-f-]*…/g, "<id>…"],
  // Records of the audit log.
  [/(?<=^\d+\t<time>\t)[^\t]+(?=\t)/gm, "<user>"],
  [/(?<="kind":"user","id":)"[^"]*"/g, '"<user>"'],
  [/(?<=,user,)[^,]*(?=,)/g, "<user>"],
  [/"prev":"[0-9a-f]{64}","mac":"[^"]*"/g, '"prev":"<hash>","mac":"<mac>"'],
  [/(?<=,)[0-9a-f]{64}(?=,)/g, "<hash>"],
  [/(?<=<hash>,)[0-9a-f]{8}:[^,\r\n]+/g, "<mac>"],
  [/"durationMs":\d+/g, '"durationMs":<ms>'],
  [/(?<=\t<time>\t)\d+(?=\t)/g, "<ms>"],
  [/\b\d+(?= ms\b)/g, "<ms>"],
  // Of stores of version 1, which are files.
  [/(?<=key (?:is|has been) in use for |the data key for )\d+ days?/g, "<age>"],
  [/\bSQLite \d+\.\d+\.\d+/g, "SQLite <version>"],
  [/\b127\.0\.0\.1:\d{2,5}\b/g, "127.0.0.1:<port>"],
];

/**
 * Makes a function that takes out of texts what differs. It numbers ids in the order in which it meets them.
 *
 * @param {Readonly<Record<string, string>>} places What to call each path.
 * @returns {(text: string) => string}
 */
export function createNormaliser(places) {
  const paths = Object.entries(places).toSorted(([a], [b]) => b.length - a.length);
  /** @type {Map<string, string>} */
  const names = new Map();
  /** @type {Map<string, number>} */
  const counts = new Map();

  /** @param {string} id @param {string} kind */
  function nameOf(id, kind) {
    if (EXAMPLES.has(id)) return id;
    const known = names.get(id);
    if (known !== undefined) return known;
    const count = (counts.get(kind) ?? 0) + 1;
    const name = `<${kind} ${count}>`;
    counts.set(kind, count);
    names.set(id, name);
    return name;
  }

  return (text) => {
    let result = paths.reduce((rest, [path, name]) => rest.replaceAll(path, name), text);
    // Before the ids: a time in a file name has groups of digits too.
    for (const [pattern, replacement] of REPLACED) result = result.replaceAll(pattern, replacement);
    for (const [pattern, kind] of NUMBERED) result = result.replaceAll(pattern, (id) => nameOf(id, kind));
    return showControls(result);
  };
}

/** A recording is a text: what moves the cursor or rings a bell is written out. @param {string} text */
function showControls(text) {
  return text
    .replaceAll("\r\n", "\n")
    .replaceAll(/(?![\t\n])\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
