/** @typedef {import("./measure-sets.mjs").SetResult} SetResult */
/** @typedef {import("./measure-builds.mjs").BuildResult} BuildResult */
/** @typedef {[goal: string, bound: string, reached: number, isMet: boolean | null]} CheckedGoal "isMet": null where there is no goal. */

/**
 * The goals that the design was chosen for, as ratios of one run.
 *
 * @param {{ sets: readonly SetResult[], lines: Record<string, number>, builds: readonly BuildResult[], hard: Record<string, number> }} results
 * @returns {string[][]}
 */
export function checkGoals({ sets, lines, builds, hard }) {
  /** @type {CheckedGoal[]} */
  const goals = [
    ...[
      [10, 0.4],
      [100, 0.2],
      [1000, 0.1],
    ].flatMap(([values = 0, floor = 0]) =>
      atLeast(`${values} values in all forms / memcpy`, floor, ratio(sets, values, "in all forms", "memcpy")),
    ),
    ...atLeast("100 structured values / memcpy", 0.1, ratio(sets, 100, "structured", "memcpy")),
    ...[
      [10, 12],
      [100, 40],
      [1000, 400],
    ].flatMap(([values = 0, floor = 0]) =>
      atLeast(`${values} values / RegExp`, floor, ratio(sets, values, "raw", "regExp")),
    ),
    ...[10, 100].flatMap((values) =>
      atLeast(`${values} values in all forms / RegExp`, 400, ratio(sets, values, "in all forms", "regExp")),
    ),
    ...atLeast("100 values / replaceAll", 40, ratio(sets, 100, "raw", "replaceAll")),
    ...atLeast("1000 values / replaceAll", 150, ratio(sets, 1000, "raw", "replaceAll")),
    ...atLeast("a hit in 2 KB / none, the worst set", 0.35, worst(sets, "buffer, hits", "buffer")),
    ...shown("  the same / search + copy, by hand", worst(sets, "buffer, hits", "search + copy")),
    ...atLeast("string / buffer, the worst set", 0.6, worst(sets, "string", "buffer")),
    ...atLeast("stream that owns its chunks / buffer, the worst set", 0.5, worst(sets, "owned", "buffer")),
    ...atLeast("stream that copies / buffer, the worst set", 0.5, worst(sets, "stream", "buffer")),
    ...shown("  the same / search + new array, by hand", worst(sets, "stream", "search + new array")),
    ...shown("  search + new array, by hand / buffer", worst(sets, "search + new array", "buffer")),
    ...atMost("a line, 100 values: ns", 400, lines["100 values"]),
    ...atMost(
      "the same / RegExp",
      0.2,
      (lines["100 values"] ?? Number.NaN) / (lines["RegExp, 100 values"] ?? Number.NaN),
    ),
    ...[
      [100, 20],
      [1000, 80],
      [7000, 300],
    ].flatMap(([patterns = 0, most = 0]) =>
      atMost(`build ${patterns} patterns: ms`, most, builds.find((build) => build.patterns === patterns)?.milliseconds),
    ),
    ...builds.flatMap(({ patterns, bytes }) =>
      atMost(`memory of ${patterns} patterns / (256 KiB + 400 B each)`, 1, bytes / (2 ** 18 + 400 * patterns)),
    ),
    ...Object.entries(hard).flatMap(([what, rate]) =>
      atLeast(`hard: ${what}: MB/s`, what.startsWith("a x") ? 1 : 30, rate),
    ),
  ];
  const rows = goals.map(([goal, bound, reached, isMet]) => [
    goal,
    bound,
    reached.toPrecision(3),
    isMet === null ? "" : isMet ? "met" : "missed",
  ]);
  return [["", "goal", "reached", ""], ...rows];
}

/** @param {readonly SetResult[]} sets @param {number} values @param {SetResult["kind"]} kind @param {string} other */
function ratio(sets, values, kind, other) {
  const rates = sets.find((set) => set.values === values && set.kind === kind)?.rates ?? {};
  return (rates["buffer"] ?? Number.NaN) / (rates[other] ?? Number.NaN);
}

/** @param {readonly SetResult[]} sets @param {string} one @param {string} other */
function worst(sets, one, other) {
  return Math.min(...sets.map(({ rates }) => (rates[one] ?? Number.NaN) / (rates[other] ?? Number.NaN)));
}

/** What was reached of what is possible. @param {string} what @param {number} reached @returns {CheckedGoal[]} */
function shown(what, reached) {
  return Number.isNaN(reached) ? [] : [[what, "", reached, null]];
}

/** @param {string} goal @param {number} floor @param {number | undefined} reached @returns {CheckedGoal[]} Nothing where it was not measured. */
function atLeast(goal, floor, reached = Number.NaN) {
  return Number.isNaN(reached) ? [] : [[goal, `>= ${floor}`, reached, reached >= floor]];
}

/** @param {string} goal @param {number} most @param {number | undefined} reached @returns {CheckedGoal[]} */
function atMost(goal, most, reached = Number.NaN) {
  return Number.isNaN(reached) ? [] : [[goal, `<= ${most}`, reached, reached <= most]];
}
