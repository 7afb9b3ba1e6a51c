import { openSecrets } from "@autokestra/engine";
import type { SecretService } from "@autokestra/secrets-core";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Where the secrets are, from the global options. */
  readonly place: {
    readonly storagePath: string | undefined;
    readonly backend: string | undefined;
    readonly keyFile: string | undefined;
  };
  /** Where runs are recorded, from the global options. */
  readonly runsPath: string | undefined;
}

/**
 * Opens the secrets for as long as `use` takes.
 *
 * @param create make a store where there is none; without, an absent store reads as empty
 */
export async function withSecrets<T>(
  { place, terminal }: CommandContext,
  create: boolean,
  use: (secrets: SecretService) => Promise<T>,
): Promise<T> {
  const secrets = await openSecrets({ ...place, create, onNotice: (text) => terminal.note(`note: ${text}`) });
  try {
    return await use(secrets);
  } finally {
    await secrets.close();
  }
}
