/** @typedef {import("./measure-sets.mjs").SetResult} SetResult */

const NAMES = {
  memcpy: "memcpy",
  buffer: "autokestra",
  ahoCorasick: "Aho-Corasick",
  replaceAll: "replaceAll",
  regExp: "one RegExp",
};
const COLOURS = {
  memcpy: "#bbbbbb",
  buffer: "#0a7d4b",
  ahoCorasick: "#7a86b8",
  replaceAll: "#c9a227",
  regExp: "#b5523b",
};
const [LEFT, BAR, GAP, DECADE] = [230, 16, 34, 125];
const LOWEST = 0.1;
const TITLE = "Masking a log without a secret in it: MB per second of CPU time, logarithmic";

/**
 * Bars on a logarithmic scale, one group for each set in all forms.
 *
 * @param {readonly SetResult[]} sets
 */
export function drawChart(sets) {
  /** @type {string[]} */
  const parts = [];
  let top = 54;
  for (const { values, patterns, rates } of sets.filter(({ kind }) => kind === "in all forms")) {
    parts.push(
      text(LEFT - 12, top + 13, `${values} ${values === 1 ? "value" : "values"}, ${patterns} texts`, "end", "bold"),
    );
    for (const [way, name] of Object.entries(NAMES)) {
      const rate = rates[way];
      if (rate === undefined) continue;
      const width = Math.max(1, DECADE * Math.log10(rate / LOWEST));
      const colour = COLOURS[/** @type {keyof typeof COLOURS} */ (way)];
      parts.push(`<rect x="${LEFT}" y="${top}" width="${width.toFixed(1)}" height="${BAR}" fill="${colour}"/>`);
      parts.push(text(LEFT + width + 6, top + 13, `${name} ${Number(rate.toPrecision(2))}`));
      top += BAR + 3;
    }
    top += GAP - BAR;
  }
  const width = LEFT + 5 * DECADE + 150;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top + 8}" viewBox="0 0 ${width} ${top + 8}" font-family="sans-serif" font-size="13">`,
    `<title>${TITLE}</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(16, 26, TITLE, "start", "bold"),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

/** @param {number} x @param {number} y @param {string} content @param {string} [anchor] @param {string} [weight] */
function text(x, y, content, anchor = "start", weight = "normal") {
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}" fill="#222222">${content}</text>`;
}
