// How the time of resolving grows with what is resolved: time(2n)/time(n), which is 2 where it is linear. The goal is below 2.5.
import { createSecretResolver, parseTemplates, resolveTemplates } from "../packages/secrets-resolver/dist/index.js";
import { measure } from "./measure.mjs";
import { printTable } from "./print-table.mjs";

const LIMIT = 2.5;

/** @type {import("../packages/secrets-resolver/dist/index.js").Lookup} */
const find = async (reference) => ("name" in reference ? `value of ${reference.name}` : null);

/** @param {number} count @param {(index: number) => unknown} make */
const list = (count, make) => Array.from({ length: count }, (_, index) => make(index));

/** What is resolved, by how much of it there is. @type {Record<string, (n: number) => () => Promise<unknown>>} */
const SHAPES = {
  "references, each an input": (n) =>
    resolving(Object.fromEntries(list(n, (at) => [`k${at}`, `{{ secrets.S${at} }}`]))),
  "references in one text": (n) => resolving({ text: list(n, (at) => `a{{ secrets.S${at} }}`).join("") }),
  "the same reference": (n) => resolving({ all: list(n, () => "Bearer {{ secrets.S }}") }),
  "characters without one": (n) => resolving({ text: "x".repeat(n * 100) }),
  "unclosed braces": (n) => parsing({ text: "{{ ".repeat(n) }),
  "escaped braces": (n) => resolving({ text: "\\{{ x }} ".repeat(n) }),
  backslashes: (n) => resolving({ text: `${"\\".repeat(n * 10)}{{ secrets.S }}` }),
  "texts without one": (n) => resolving({ all: list(n, (at) => `plain ${at}`) }),
  "declared secrets": (n) => {
    const resolver = createSecretResolver([
      {
        id: "memory",
        lookup: async (name) => ({
          status: "found",
          secret: { type: "apiKey", fields: { value: name }, expiresAt: null },
        }),
      },
    ]);
    const names = list(n, (at) => `S${at}`).map(String);
    return async () => {
      const scope = await resolver.openScope(names);
      await scope.close();
    };
  },
};

/** @param {unknown} inputs */
function resolving(inputs) {
  return async () => await resolveTemplates(parseTemplates(inputs), find);
}

/** Malformed texts are refused after they were read. @param {unknown} inputs */
function parsing(inputs) {
  return async () => parseTemplates(inputs);
}

const N = 1000;
/** They are looked up at the same time, and no workflow declares a thousand. */
const DECLARED = 250;
const rows = [["what there are n of", "n", "µs(n)", "µs(2n)", "ratio", "goal", ""]];
let missed = 0;
for (const [name, make] of Object.entries(SHAPES)) {
  const n = name === "declared secrets" ? DECLARED : N;
  const times = await measure({ once: make(n), twice: make(2 * n) }, { rounds: 15, operations: 10 });
  const { once = 0, twice = 0 } = times;
  const ratio = twice / once;
  if (ratio >= LIMIT) missed += 1;
  rows.push([
    name,
    once.toFixed(0),
    twice.toFixed(0),
    ratio.toFixed(2),
    `< ${LIMIT}`,
    ratio < LIMIT ? "met" : "missed",
  ]);
}
printTable("Resolving n, and twice as many", rows);
process.exitCode = missed === 0 ? 0 : 1;
