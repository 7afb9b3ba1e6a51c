import { diagnose, diagnoseAudit, diagnosePlanted, type Finding, openSecretsManager } from "@autokestra/secrets";
import { runsFile } from "@autokestra/secrets/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { EXIT, EXIT_CODES } from "../exit.ts";
import { hintFor, USE_HINTS } from "../hints.ts";
import { withProgress } from "../output/progress-bar.ts";
import { hideArguments } from "../rejected-input.ts";
import { withEngine } from "../secrets.ts";

const MARKS: Readonly<Record<Finding["status"], string>> = { ok: "ok      ", warning: "warning ", failure: "FAILURE " };

export const command: CommandDefinition = defineCommand({
  declare: (parser) => parser,
  examples: ["autokestra doctor", "autokestra doctor --json"],
  prints: true,
  run: doctor,
});

/** Diagnoses key and store and prints one line for each finding. Returns the exit code. */
async function doctor(context: CommandContext): Promise<number> {
  const { terminal, place } = context;
  const manager = await openSecretsManager({ ...place, create: false });
  try {
    const found = await withProgress(
      terminal,
      "Decrypting every record",
      async ({ onProgress }) => await diagnose(manager, onProgress),
    );
    const audit = await diagnoseAudit(manager);
    const withCommands = [...found, audit, ...(await diagnoseProviders(context))].map((finding) => ({
      ...finding,
      hint: hintOf(finding),
    }));
    const findings = [...withCommands, ...(await diagnosePlanted(manager, context.runsPath ?? runsFile(place)))];
    const text = terminal.json ? `${JSON.stringify(findings)}\n` : findings.map(format).join("");
    terminal.write(hideArguments(text, [place.keyFile ?? "", place.storagePath ?? ""]));
    return exitCodeOf(findings);
  } finally {
    await manager.secrets.close();
  }
}

/** Checks the providers of the configuration. Loads nothing if there are none. */
async function diagnoseProviders(context: CommandContext): Promise<readonly Finding[]> {
  if (Object.keys(context.place.defaults?.providers ?? {}).length === 0) return [];
  return await withEngine(context, {}, async (engine) => await engine.diagnoseProviders());
}

/** Adds the command that helps to the hint of the library. */
function hintOf({ subject, code, hint }: Finding): string | null {
  // The secrets themselves are as they should be.
  if (subject === "audit" && code === "INTEGRITY_FAILED") return `${hint} ${USE_HINTS.auditProblem}`;
  return code === null ? hint : (hintFor({ code, hint: hint ?? undefined }, { command: "doctor", args: [] }) ?? null);
}

/** The exit code of the gravest failure, the same as for the error of a command. */
function exitCodeOf(findings: readonly Finding[]): number {
  return Math.max(EXIT.done, ...findings.flatMap(({ code }) => (code === null ? [] : [EXIT_CODES[code]])));
}

function format({ status, subject, message, hint }: Finding): string {
  const line = `${MARKS[status]}${subject.padEnd(7)} ${message}\n`;
  return hint === null ? line : `${line}${" ".repeat(16)}${hint}\n`;
}
