// `npm run faults [-- --short]`: runs the scripts of test/faults and prints one table. The protocol: test/faults/README.md.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInside } from "./outside.mjs";
import { outputOf, run, toolEnvironment } from "./run.mjs";
import { repository } from "./workspace.mjs";

/** The longest script takes four minutes in its short form, on a busy machine; one that hangs must not take the others along. */
const SHORT_LIMIT_MS = 30 * 60_000;

/**
 * @typedef {object} Row
 * @property {string} id
 * @property {string} figure
 * @property {boolean} [pass]
 * @property {string} [missing]
 */

/**
 * Runs the fault scripts of a folder and prints their rows.
 *
 * @param {string} folder
 * @param {{ short: boolean, ci: boolean, print: (line: string) => void, env?: NodeJS.ProcessEnv, limitMs?: number }} options
 * @returns {boolean} Whether there were rows, and none of them failed.
 */
export function runFaults(folder, { short, ci, print, env = toolEnvironment(), limitMs = short ? SHORT_LIMIT_MS : 0 }) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => /\.(mjs|sh)$/.test(name)) : [];
  const count = { passed: 0, failed: 0, "not run": 0 };
  for (const name of names.toSorted()) {
    for (const row of runScript(join(folder, name), name, { short, env, limitMs })) {
      const result = resultOf(row, ci);
      count[result] += 1;
      const figure = row.missing === undefined ? row.figure : `${row.figure} (needs ${row.missing})`;
      print(`${row.id.padEnd(9)}${result.padEnd(9)}${figure}`);
    }
  }
  print(`${names.length} fault scripts: ${count.passed} passed, ${count.failed} failed, ${count["not run"]} not run`);
  return count.passed > 0 && count.failed === 0;
}

/**
 * @param {string} path
 * @param {string} name
 * @param {{ short: boolean, env: NodeJS.ProcessEnv, limitMs: number }} options
 * @returns {Row[]}
 */
function runScript(path, name, { short, env, limitMs }) {
  const command = name.endsWith(".sh") ? "bash" : process.execPath;
  const outcome = run(command, [path, ...(short ? ["--short"] : [])], { env, limitMs });
  const rows = readRows(outcome.stdout.trimEnd().split("\n").at(-1) ?? "");
  // What a script says before its rows is why one of them failed.
  if (outcome.ok && rows?.some(({ pass }) => pass === false)) console.log(outputOf(outcome));
  if (outcome.ok && rows !== null) return rows;
  const trouble = outcome.ok
    ? "its last line is not what test/faults/README.md asks for"
    : `it ended with ${outcome.status}`;
  return [...(rows ?? []), { id: name, figure: `${trouble}\n${outputOf(outcome)}`, pass: false }];
}

/**
 * @param {string} line
 * @returns {Row[] | null}
 */
function readRows(line) {
  try {
    const rows = JSON.parse(line);
    return Array.isArray(rows) && rows.length > 0 && rows.every(isRow) ? rows : null;
  } catch {
    return null;
  }
}

/**
 * @param {unknown} row
 * @returns {row is Row}
 */
function isRow(row) {
  if (typeof row !== "object" || row === null) return false;
  const { id, figure, pass, missing } = /** @type {Record<string, unknown>} */ (row);
  const isDecided =
    typeof pass === "boolean" ? missing === undefined : pass === undefined && typeof missing === "string";
  return typeof id === "string" && typeof figure === "string" && isDecided;
}

/**
 * @param {Row} row
 * @param {boolean} ci
 */
function resultOf({ pass, missing }, ci) {
  if (missing !== undefined) return ci ? "failed" : "not run";
  return pass === true ? "passed" : "failed";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = { short: process.argv.includes("--short"), ci: process.env["CI"] === "true", print: console.log };
  const scripts = join(repository, "test", "faults");
  const { result, problems } = await runInside((env) => runFaults(scripts, { ...options, env }));
  for (const problem of problems) console.log(`outside  ${problem}`);
  process.exitCode = result && problems.length === 0 ? 0 : 1;
}
