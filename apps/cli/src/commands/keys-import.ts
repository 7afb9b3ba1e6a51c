import { importKey } from "@autokestra/secrets";
import { quotePath } from "@autokestra/secrets-core";
import type { CommandContext } from "../command-context.ts";

/** Copies a master key into the key folder. */
export async function importMasterKey({ terminal, place }: CommandContext, file: string): Promise<void> {
  const onNotice = (text: string) => terminal.note(`note: ${text}`);
  const imported = await importKey({ keyFile: place.keyFile, onNotice }, file);
  if (terminal.json) return terminal.write(`${JSON.stringify(imported)}\n`);
  const { fingerprint, path, isNew } = imported;
  terminal.note(`Key ${fingerprint} is ${isNew ? "now" : "already"} in ${quotePath(path)}`);
}
