import { nearestName } from "@autokestra/engine";
import { openInstallation } from "@autokestra/secrets";
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
    throw error instanceof AutokestraError ? await withPlace(error, secrets, folder) : error;
  } finally {
    await secrets.close();
  }
}

/** An error about a name that is not there, with what can be known here: a name that was probably meant, and the folder. */
async function withPlace(error: AutokestraError, secrets: SecretService, folder: string): Promise<AutokestraError> {
  const { code, message, names } = error;
  if (code !== "SECRET_NOT_FOUND" && code !== "SECRETS_MISSING") return error;
  // What a source says of several names is in the hint.
  const [name] = code === "SECRET_NOT_FOUND" ? names : [];
  const nearest = name === undefined ? null : nearestName(name, await namesOf(secrets));
  const didYouMean = nearest === null ? undefined : `Did you mean '${nearest}'?`;
  const parts = [didYouMean, error.hint, `Looked in ${quotePath(folder)}.`].filter((part) => part !== undefined);
  return new AutokestraError(code, message, { hint: parts.join(" "), names });
}

async function namesOf(secrets: SecretService): Promise<readonly string[]> {
  return (await secrets.list()).map(({ name }) => name);
}
