import { resolve } from "node:path";
import { type RotateReport, rotateKeys } from "@autokestra/secrets";
import { plural, quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { EXIT, untilSignal } from "../exit.ts";
import { withProgress } from "../output/progress-bar.ts";
import type { Terminal } from "../output/terminal.ts";

interface RotateKeyOptions {
  readonly newKeyFile?: string;
  readonly allStores?: boolean;
  readonly dataKey?: boolean;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .option("--new-key-file <file>", "path of the new key file; a missing one is created")
      .option("--all-stores", "rotation of every known store under the same key")
      .option("--data-key", "new data key as well, which encrypts every secret again"),
  examples: [
    "autokestra secrets rotate-key --data-key",
    "autokestra secrets rotate-key --new-key-file ~/keys/project.key --all-stores",
  ],
  run: rotateKey,
});

/**
 * Replaces the master key and, with --data-key, encrypts every secret again. A signal ends it between two steps, and
 * the report then says how to continue. Returns the exit code.
 */
async function rotateKey({ terminal, place }: CommandContext, options: RotateKeyOptions): Promise<number> {
  const newKeyFile = options.newKeyFile === undefined ? undefined : resolve(options.newKeyFile);
  const { result: report, signalExit } = await untilSignal(
    async (signal) =>
      await withProgress(
        terminal,
        "Rotating keys",
        async ({ onProgress, onNotice }) =>
          await rotateKeys({ ...place, onNotice }, { ...options, newKeyFile, onProgress, signal }),
      ),
  );
  if (terminal.json) terminal.write(`${JSON.stringify(report)}\n`);
  else printDone(terminal, describeDone(report, options), signalExit !== null);
  if (signalExit !== null) terminal.warn(describeRest(report));
  return signalExit ?? EXIT.done;
}

/** @param isEnded whether a signal ended the rotation; the report is then printed even with --quiet */
function printDone(terminal: Terminal, lines: readonly string[], isEnded: boolean): void {
  for (const line of lines) {
    if (isEnded) terminal.warn(line);
    else terminal.note(line);
  }
}

function describeDone(report: RotateReport, { newKeyFile }: RotateKeyOptions): string[] {
  const { before, after, keyFile, isComplete, otherStores, dataKeys } = report;
  const file = quotePath(keyFile);
  if (before === after && !isComplete) return [`The master key of these secrets is ${after}, as before`];
  return [
    before === after
      ? `The master key of these secrets is ${after} already, in ${file}`
      : `Master key ${before} no longer opens these secrets; ${after} does, in ${file}`,
    ...otherStores.map((folder) => `The secrets in ${quotePath(folder)} are under it too`),
    ...dataKeys.flatMap(({ id, state, secrets }) =>
      secrets === null || state === "destroyed" ? [] : [`data key ${id} (${state}): ${plural(secrets, "secret")}`],
    ),
    newKeyFile === undefined
      ? "The old key is kept, because older backups need it: `autokestra keys list` shows where"
      : `Name it with --key-file ${file} from now on. The old key stays where it was, because older backups need it`,
  ];
}

/** Describes what an interrupted rotation has left to do. */
function describeRest({ isComplete }: RotateReport): string {
  if (isComplete) return "interrupted, after the last step: nothing is left to do";
  return "interrupted before the last step: no secret is lost, and all of them open. Run the same command again to finish";
}
