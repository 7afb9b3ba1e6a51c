import { diagnose, type Finding, openInstallation } from "@autokestra/engine";
import type { CommandContext } from "../command-context.ts";
import { EXIT } from "../exit-code.ts";
import { withProgress } from "../progress-bar.ts";
import { hideArguments } from "../rejected-input.ts";

const MARKS: Readonly<Record<Finding["status"], string>> = { ok: "ok      ", warning: "warning ", failure: "FAILURE " };

/** Says how the installation is, one line each. Returns the exit code. */
export async function doctor({ terminal, place }: CommandContext): Promise<number> {
  const installation = await openInstallation({ ...place, create: false });
  try {
    const findings = await withProgress(
      terminal,
      "Opening every record",
      async ({ onProgress }) => await diagnose(installation, onProgress),
    );
    const text = terminal.json ? `${JSON.stringify(findings)}\n` : findings.map(format).join("");
    terminal.write(hideArguments(text, [place.keyFile ?? "", place.storagePath ?? ""]));
    const failures = findings.filter(({ status }) => status === "failure");
    if (failures.length === 0) return EXIT.done;
    return failures.some(({ subject }) => subject !== "store") ? EXIT.integrity : EXIT.failed;
  } finally {
    await installation.secrets.close();
  }
}

function format({ status, subject, message, hint }: Finding): string {
  const line = `${MARKS[status]}${subject.padEnd(8)}${message}\n`;
  return hint === null ? line : `${line}${" ".repeat(16)}${hint}\n`;
}
