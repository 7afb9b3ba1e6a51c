import { openInstallation, type RotateReport, rotateKeys } from "@autokestra/engine";
import type { CommandContext } from "../command-context.ts";
import { withProgress } from "../progress-bar.ts";

export interface RotateKeyOptions {
  readonly newKeyFile?: string;
  readonly dataKey?: boolean;
}

/** Puts a new master key in the place of the old one; with --data-key seals every secret anew. */
export async function rotateKey({ terminal, place }: CommandContext, options: RotateKeyOptions): Promise<void> {
  const installation = await openInstallation(place);
  try {
    const report = await withProgress(
      terminal,
      "Rotating keys",
      async (onProgress) => await rotateKeys(installation, { ...options, onProgress }),
    );
    if (terminal.json) terminal.write(`${JSON.stringify(report)}\n`);
    else for (const line of describe(report, options)) terminal.note(line);
  } finally {
    await installation.secrets.close();
  }
}

function describe({ before, after, keyFile, dataKeys }: RotateReport, { newKeyFile }: RotateKeyOptions): string[] {
  const keys = dataKeys.flatMap(({ id, state, secrets }) =>
    secrets === null ? [] : [`data key ${id} (${state}): ${secrets} secrets`],
  );
  const where =
    newKeyFile === undefined
      ? "The key before is kept beside it, ending in .old: destroy it once no backup from before is needed."
      : `Give it with --key-file ${keyFile} from now on. The key before can be destroyed once no backup from before is needed.`;
  return [`Master key ${before} no longer opens these secrets; ${after} does, in ${keyFile}`, ...keys, where];
}
