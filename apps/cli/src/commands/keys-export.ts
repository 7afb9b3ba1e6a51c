import { resolve } from "node:path";
import { exportKey } from "@autokestra/secrets";
import { recordOperation } from "@autokestra/secrets/internal";
import { AutokestraError } from "@autokestra/secrets-core";
import { quotePath } from "@autokestra/secrets-core/internal";
import { type CommandContext, type CommandDefinition, defineCommand } from "../command.ts";
import { USE_HINTS } from "../hints.ts";

interface KeysExportOptions {
  readonly to: string;
}

export const command: CommandDefinition = defineCommand({
  declare: (parser) =>
    parser
      .argument("<fingerprint>", "fingerprint of the key: 16 hexadecimal digits")
      .requiredOption("--to <file>", "path of the new key file, which must not exist yet"),
  examples: [
    "autokestra keys export 1f2e3d4c5b6a7988 --to /media/usb/autokestra.key",
    "autokestra keys export 1f2e3d4c5b6a7988 --to ./copy.key --json",
  ],
  run: exportMasterKey,
});

/** Writes one master key to a file of its own. */
async function exportMasterKey(
  { terminal, place }: CommandContext,
  fingerprint: string,
  { to }: KeysExportOptions,
): Promise<void> {
  // It may be the key itself: it is not repeated.
  if (!/^[0-9a-f]{16}$/.test(fingerprint)) {
    throw new AutokestraError("USAGE", "The fingerprint of a key is 16 hexadecimal digits in lower case", {
      hint: USE_HINTS.fingerprints,
    });
  }
  const file = resolve(to);
  const options = { keyFile: place.keyFile, defaultKeyFile: place.defaults?.keyFile };
  await recordOperation(place, "keys.export", async () => await exportKey(options, fingerprint, file));
  if (terminal.json) return terminal.write(`${JSON.stringify({ fingerprint, path: file })}\n`);
  terminal.note(
    `Key ${fingerprint} was written to ${quotePath(file)}. Anyone who can read that file can decrypt everything under this key`,
  );
}
