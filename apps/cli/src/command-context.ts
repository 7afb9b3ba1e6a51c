import { openInstallation } from "@autokestra/engine";
import { AutokestraError, quotePath, type SecretService } from "@autokestra/secrets-core";
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
  use: (secrets: SecretService, folder: string) => Promise<T>,
): Promise<T> {
  const onNotice = (text: string) => terminal.note(`note: ${text}`);
  const { secrets, folder } = await openInstallation({ ...place, create, onNotice });
  try {
    return await use(secrets, folder);
  } catch (error) {
    throw isNotFound(error) ? withFolder(error, folder) : error;
  } finally {
    await secrets.close();
  }
}

function isNotFound(error: unknown): error is AutokestraError {
  return error instanceof AutokestraError && (error.code === "SECRET_NOT_FOUND" || error.code === "SECRETS_MISSING");
}

/** The same error, whose hint says where it was looked for: in another folder of a project there may be another store. */
function withFolder({ code, message, hint }: AutokestraError, folder: string): AutokestraError {
  const looked = `Looked in ${quotePath(folder)}.`;
  return new AutokestraError(code, message, { hint: hint === undefined ? looked : `${hint} ${looked}` });
}
