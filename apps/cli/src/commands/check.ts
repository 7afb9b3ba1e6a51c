import type { GraphFormat, Severity, WorkflowReport } from "@autokestra/engine";
import { AutokestraError } from "@autokestra/secrets-core";
import { plural } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, choiceOption, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { describeExplanation, explanationToJson } from "../explanation.ts";
import { hintFor } from "../hints.ts";
import { hideArguments } from "../rejected-input.ts";
import { withEngine } from "../secrets.ts";

interface CheckOptions {
  /** `--no-env` makes it false. */
  readonly env: boolean;
  /** Makes warnings fail, too. */
  readonly strict?: boolean;
  readonly offline?: boolean;
  readonly explain?: boolean;
  readonly format?: "text" | "sarif";
  readonly graph?: GraphFormat;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<file...>", "paths of workflow files")
      .option("--no-env", "no secrets from environment variables")
      .option("--strict", "exit code 1 for warnings, too")
      .option("--offline", "no calls to providers")
      .option("--explain", "source of each declared secret, and the answers of all sources")
      .addOption(
        choiceOption(parser, "--format <format>", "sarif: for code scanning of a forge [text]", ["text", "sarif"]),
      )
      .addOption(
        choiceOption(parser, "--graph <format>", "picture of the tasks of one file, instead of the report", [
          "mermaid",
          "svg",
        ]),
      ),
  examples: ["autokestra check deploy.yaml", "autokestra check deploy.yaml --graph svg > deploy.svg"],
  prints: true,
  run: check,
});

/** Checks workflows without running them. Returns the exit code. */
async function check(
  context: CommandContext,
  files: readonly string[],
  { env, strict = false, offline = false, explain = false, format = "text", graph }: CheckOptions,
): Promise<number> {
  const { terminal } = context;
  if (graph !== undefined) checkGraphOptions(files, terminal.json || format === "sarif");
  const invocation = { command: "check", args: env ? [] : ["--no-env"] };
  const reports = await withEngine(context, { environment: env ? undefined : false }, async (engine) => {
    const found: WorkflowReport[] = [];
    for (const file of files) {
      const report = await engine.check(file, { offline, explain });
      const problems = report.problems.map(({ details, ...problem }) => ({
        ...problem,
        hint: hintFor({ ...problem, details }, invocation),
      }));
      found.push({ ...report, problems });
    }
    return found;
  });
  const text = hideArguments(await formatReports(reports, terminal.json ? "json" : format), files);
  if (graph === undefined) terminal.write(text);
  else {
    terminal.write(await drawFile(files, graph));
    if (reports.some(({ problems }) => problems.length > 0)) terminal.warn(text.trimEnd());
  }
  const fails: readonly Severity[] = strict ? ["error", "warning"] : ["error"];
  return reports.some((report) => fails.some((severity) => count(report, severity) > 0)) ? EXIT.failed : EXIT.done;
}

function checkGraphOptions(files: readonly string[], hasFormat: boolean): void {
  if (files.length > 1) throw new AutokestraError("USAGE", "--graph draws one file");
  if (hasFormat) throw new AutokestraError("USAGE", "--graph takes neither --json nor --format sarif");
}

/** The picture of a file; empty for one that cannot be drawn, because its report says why. */
async function drawFile([file = ""]: readonly string[], format: GraphFormat): Promise<string> {
  const { drawWorkflow, loadWorkflow } = await import("../workflows.ts");
  try {
    return await drawWorkflow(await loadWorkflow(file), format);
  } catch (error) {
    if (error instanceof AutokestraError) return "";
    throw error;
  }
}

async function formatReports(reports: readonly WorkflowReport[], format: "text" | "sarif" | "json"): Promise<string> {
  if (format === "text") return reports.map((report) => formatReport(report, process.stdout.columns)).join("");
  if (format === "json") return `${JSON.stringify(reports.map(toJson))}\n`;
  const { formatSarif } = await import("../output/sarif.ts");
  return formatSarif(reports);
}

function toJson({ path, problems, secrets }: WorkflowReport): object {
  return { file: path, problems, ...(secrets !== undefined && { secrets: secrets.map(explanationToJson) }) };
}

/** @param width the width of the terminal; undefined if there is none */
function formatReport(report: WorkflowReport, width: number | undefined): string {
  const [errors, warnings] = [count(report, "error"), count(report, "warning")];
  const verdict = errors === 0 ? "ok" : plural(errors, "problem");
  const more = warnings === 0 ? "" : `, ${plural(warnings, "warning")}`;
  const details = report.problems.map((problem) => `${report.format(problem, width)}\n`);
  const sources = (report.secrets ?? []).map(describeExplanation);
  return `${report.path}: ${verdict}${more}\n${details.join("")}${sources.join("")}`;
}

function count({ problems }: WorkflowReport, severity: Severity): number {
  return problems.filter((problem) => problem.severity === severity).length;
}
