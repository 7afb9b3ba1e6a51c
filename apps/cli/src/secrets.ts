import { type Engine, nearestName } from "@autokestra/engine";
import { createMasterKeyProvider, locationText, openSecretsManager } from "@autokestra/secrets";
import {
  AutokestraError,
  checkExpiry,
  hasCode,
  quotePath,
  type SecretName,
  type SecretService,
  type Timestamp,
} from "@autokestra/secrets-core";
import type { CommandContext } from "./command.ts";

/** Takes the master key out of the environment, so that nothing that a command loads or starts can read it there. */
export function takeKey(): void {
  createMasterKeyProvider();
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
  const { secrets, location } = await openSecretsManager({ ...place, create, onNotice });
  const opened = { secrets, location, close: () => secrets.close() };
  return await whileOpen(opened, async () => await use(secrets, locationText(location)));
}

/**
 * Opens secrets and run history, to run or check workflows, for as long as `use` takes.
 *
 * @param environment whether secrets that nothing else has are taken from the environment. Default: what the configuration says
 */
export async function withEngine<T>(
  { place, terminal, runsPath }: CommandContext,
  environment: boolean | undefined,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const { openEngine } = await import("./workflows.ts");
  const onNotice = (text: string) => terminal.note(`note: ${text}`);
  const engine = await openEngine({ ...place, config: place.defaults, runsPath, environment, onNotice });
  return await whileOpen(engine, async () => await use(engine));
}

/** Closes what was opened once the work is done, and tells of names that are not there what can be known here. */
async function whileOpen<T>(
  { secrets, location, close }: Pick<Engine, "secrets" | "location" | "close">,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof AutokestraError ? await withPlace(error, secrets, locationText(location)) : error;
  } finally {
    await close();
  }
}

/** An error about a name that is not there, with what can be known here: a name that was probably meant, and the folder. */
async function withPlace(error: AutokestraError, secrets: SecretService, folder: string): Promise<AutokestraError> {
  if (!hasCode(error, "SECRET_NOT_FOUND", "SECRETS_MISSING")) return error;
  const { code, message, details } = error;
  // What a source says of several names is in the hint.
  const [name] = code === "SECRET_NOT_FOUND" ? (details.names ?? []) : [];
  const nearest = name === undefined ? null : nearestName(name, await namesOf(secrets));
  const didYouMean = nearest === null ? undefined : `Did you mean '${nearest}'?`;
  const parts = [didYouMean, error.hint, `Looked in ${quotePath(folder)}.`].filter((part) => part !== undefined);
  return new AutokestraError(code, message, { hint: parts.join(" "), details });
}

async function namesOf(secrets: SecretService): Promise<readonly string[]> {
  return (await secrets.list()).map(({ name }) => name);
}

/** `--expires-at`. Null is `never`. @throws AutokestraError `VALUE_INVALID` */
export function parseExpiry(name: SecretName, text: string | undefined): Timestamp | null | undefined {
  if (text === undefined) return undefined;
  return text === "never" ? null : checkExpiry(name, text, () => new Date().toISOString());
}

/** What to say of a moment of expiry that is past; null where it is not. */
export function expiredWarning(name: SecretName, expiresAt: Timestamp | null): string | null {
  if (expiresAt === null || expiresAt > new Date().toISOString()) return null;
  return `warning: '${name}' has expired already, at ${expiresAt}`;
}
