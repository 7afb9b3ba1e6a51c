import {
  type ImportEntry,
  type ImportOutcome,
  importSecrets,
  type OnConflict,
  readDotenv,
  readFernetDatabase,
  readJson,
  readTextFile,
} from "@autokestra/engine";
import { AutokestraError, quoteText } from "@autokestra/secrets-core";
import { type CommandContext, withSecrets } from "../command-context.ts";
import { EXIT } from "../exit-code.ts";
import type { Terminal } from "../terminal.ts";

export interface ImportOptions {
  readonly from: "dotenv" | "json" | "fernet-sqlite";
  readonly file: string;
  readonly fernetKey?: string;
  readonly dryRun?: boolean;
  readonly onConflict: OnConflict;
  readonly rename?: boolean;
}

/** Brings secrets over from elsewhere: all or nothing. Returns the exit code. */
export async function importFile(context: CommandContext, options: ImportOptions): Promise<number> {
  const { terminal } = context;
  const { dryRun = false, rename = false, onConflict } = options;
  const entries = await readEntries(options);
  const outcome = await withSecrets(context, !dryRun, async (secrets) => {
    return await importSecrets(secrets, entries, { dryRun, rename, onConflict });
  });
  if (terminal.json) terminal.write(`${JSON.stringify(outcome)}\n`);
  else printOutcome(terminal, outcome, dryRun);
  return outcome.failed.length > 0 ? EXIT.failed : EXIT.done;
}

async function readEntries({ from, file, fernetKey }: ImportOptions): Promise<readonly ImportEntry[]> {
  if (from === "dotenv") return readDotenv(await readTextFile(file));
  if (from === "json") return readJson(await readTextFile(file));
  if (fernetKey === undefined) {
    throw new AutokestraError("USAGE", "--from fernet-sqlite needs the key file", {
      hint: "Name it with --fernet-key.",
    });
  }
  return await readFernetDatabase({ database: file, keyFile: fernetKey });
}

function printOutcome(terminal: Terminal, outcome: ImportOutcome, dryRun: boolean): void {
  for (const { name, reason } of outcome.failed) terminal.warn(`${quoteText(name)}: ${reason}`);
  for (const { from, to } of outcome.renamed) terminal.note(`${quoteText(from)} becomes ${to}`);
  const { total, imported, skipped, failed } = outcome;
  const nothing = failed.length > 0 ? "; nothing was written" : "";
  const counts = `${total} found, ${imported} ${dryRun ? "to import" : "imported"}, ${skipped} skipped, ${failed.length} failed`;
  terminal.note(`${counts}${nothing}`);
}
