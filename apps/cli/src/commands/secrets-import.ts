import {
  type ImportEntry,
  type ImportOutcome,
  importSecrets,
  type OnConflict,
  readDotenv,
  readFernetDatabase,
  readJson,
} from "@autokestra/secrets";
import { readSourceText, readTextFile } from "@autokestra/secrets/internal";
import { AutokestraError } from "@autokestra/secrets-core";
import { quoteText } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, choiceOption, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { hintFor, USE_HINTS } from "../hints.ts";
import type { Terminal } from "../output/terminal.ts";
import { withSecrets } from "../secrets.ts";

interface ImportOptions {
  readonly from: "dotenv" | "json" | "fernet-sqlite";
  readonly file: string;
  readonly fernetKey?: string;
  readonly dryRun?: boolean;
  readonly onConflict?: OnConflict;
  readonly rename?: boolean;
  readonly skipEmpty?: boolean;
}

/**
 * The maximum number of refused entries to show, because a file full of them has one mistake. `--json` has all of them.
 */
const MAX_SHOWN = 50;

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .addOption(
        choiceOption(parser, "--from <source>", "format of the file", [
          "dotenv",
          "json",
          "fernet-sqlite",
        ]).makeOptionMandatory(),
      )
      .requiredOption("--file <file>", "path of the file to read; - is standard input")
      .option("--fernet-key <file>", "path of the file with the Fernet keys, one per line")
      .option("--dry-run", "report of what would be imported, without importing it")
      .addOption(
        choiceOption(parser, "--on-conflict <what>", "action for a name that is stored with another value [fail]", [
          "fail",
          "skip",
          "overwrite",
        ]),
      )
      .option("--rename", "proposed names instead of refused ones")
      .option("--skip-empty", "no secrets with an empty value"),
  examples: [
    "autokestra secrets import --from dotenv --file .env --dry-run",
    "autokestra secrets import --from json --file secrets.json --on-conflict overwrite",
  ],
  run: importFile,
});

/** Imports all secrets of a file or none. Returns the exit code. */
async function importFile(context: CommandContext, options: ImportOptions): Promise<number> {
  const { terminal } = context;
  const { dryRun = false, rename = false, skipEmpty = false, onConflict = "fail" } = options;
  const entries = await readEntries(options);
  const outcome = await withSecrets(context, !dryRun, async (secrets) => {
    return await importSecrets(secrets, entries, { dryRun, rename, skipEmpty, onConflict });
  });
  printOutcome(terminal, outcome);
  if (terminal.json) terminal.write(`${JSON.stringify(outcome)}\n`);
  else printCounts(terminal, outcome, dryRun);
  return outcome.failed.length > 0 ? EXIT.failed : EXIT.done;
}

async function readEntries({ from, file, fernetKey }: ImportOptions): Promise<readonly ImportEntry[]> {
  if (from === "dotenv") return readDotenv(await readInput(file));
  if (from === "json") return readJson(await readInput(file));
  if (fernetKey === undefined) {
    throw new AutokestraError("USAGE", "--from fernet-sqlite needs the key file", {
      hint: USE_HINTS.fernetKey,
    });
  }
  return await readFernetDatabase({ database: file, keyFile: fernetKey });
}

async function readInput(file: string): Promise<string> {
  return file === "-" ? await readSourceText(process.stdin, "Standard input") : await readTextFile(file);
}

/** Without arguments, because the hints are about the entries of the file. */
const INVOCATION = { command: "secrets import", args: [] };

function printOutcome(terminal: Terminal, outcome: ImportOutcome): void {
  for (const { name, line, reason } of outcome.failed.slice(0, MAX_SHOWN)) {
    terminal.warn(`error: ${place(name, line)}: ${reason}`);
  }
  if (outcome.failed.length > MAX_SHOWN) terminal.warn(`… and ${outcome.failed.length - MAX_SHOWN} more`);
  const codes = new Set(outcome.failed.flatMap(({ code }) => code ?? []));
  for (const hint of [...codes].flatMap((code) => hintFor({ code, hint: undefined }, INVOCATION) ?? [])) {
    terminal.warn(`hint: ${hint}`);
  }
  for (const { name, line, message } of outcome.warnings) terminal.warn(`warning: ${place(name, line)}: ${message}`);
}

/** The name as the source has it, after its line. */
function place(name: string, line: number | undefined): string {
  const shown = quoteText(name);
  return line === undefined || name === `line ${line}` ? shown : `line ${line}: ${shown}`;
}

function printCounts(terminal: Terminal, outcome: ImportOutcome, dryRun: boolean): void {
  for (const { from, to } of outcome.renamed) terminal.note(`${quoteText(from)} becomes ${to}`);
  const { total, imported, skipped, failed } = outcome;
  const nothing = failed.length > 0 ? "; nothing was written" : "";
  const counts = `${total} found, ${imported} ${dryRun ? "to import" : "imported"}, ${skipped} skipped, ${failed.length} failed`;
  terminal.note(`${counts}${nothing}`);
}
