import { backUpStore } from "@autokestra/secrets";
import { quotePath } from "@autokestra/secrets-core";
import type { CommandContext } from "../command-context.ts";

/** Writes a copy of the store. */
export async function backUp({ terminal, place }: CommandContext, file: string): Promise<void> {
  const report = await backUpStore(place, file);
  if (terminal.json) return terminal.write(`${JSON.stringify(report)}\n`);
  terminal.note(
    `The store was copied to ${quotePath(report.file)}, sealed. It opens only with the master key, which is not in it`,
  );
}
