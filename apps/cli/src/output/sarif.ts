import { isAbsolute, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { Problem, WorkflowReport } from "@autokestra/engine";
import type { Log, Result } from "sarif";

/** Formats reports of `check` for code scanning: SARIF 2.1.0, which editors and forges read. No line of a file is in it. */
export function formatSarif(reports: readonly WorkflowReport[]): string {
  const ids = [...new Set(reports.flatMap(({ problems }) => problems.map(({ code }) => code)))].sort();
  const log: Log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "autokestra", rules: ids.map((id) => ({ id })) } },
        // SARIF 3.14.17: as the columns of a problem.
        columnKind: "utf16CodeUnits",
        results: reports.flatMap(({ path, problems }) => problems.map((problem) => toResult(path, problem, ids))),
      },
    ],
  };
  return `${JSON.stringify(log)}\n`;
}

function toResult(path: string, problem: Problem, ids: readonly string[]): Result {
  const { code, severity = "error", message, hint } = problem;
  // A forge shows no result without a place.
  const { line, column, length } = problem.position ?? { line: 1, column: 1, length: 0 };
  return {
    ruleId: code,
    ruleIndex: ids.indexOf(code),
    level: severity,
    message: { text: hint === undefined ? message : `${message}\n${hint}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: toUri(path) },
          region: { startLine: line, startColumn: column, endColumn: column + length },
        },
      },
    ],
  };
}

/** A relative path stays relative, so that a forge finds the file in the repository. */
function toUri(path: string): string {
  if (isAbsolute(path)) return pathToFileURL(path).href;
  return path
    .split(sep)
    .filter((segment) => segment !== ".")
    .map(encodeURIComponent)
    .join("/");
}
