import { nearestName } from "@autokestra/config/yaml";
import type { Engine, EngineOptions } from "@autokestra/engine";
import { type AuditLog, createMasterKeyProvider, locationText, openSecretsManager } from "@autokestra/secrets";
import {
  AutokestraError,
  hasCode,
  type SecretName,
  type SecretService,
  type Timestamp,
} from "@autokestra/secrets-core";
import { checkExpiry, quotePath } from "@autokestra/secrets-core/internal";
import type { CommandContext } from "./command.ts";
import { noticesTo } from "./output/terminal.ts";

/** Removes the master key from the environment, so that nothing that a command loads or starts can read it. */
export function takeKey(): void {
  createMasterKeyProvider();
}

/**
 * Opens the secrets while `use` runs.
 *
 * @param create creates a missing store; otherwise a missing store reads as empty
 */
export async function withSecrets<T>(
  { place, terminal }: CommandContext,
  create: boolean,
  use: (secrets: SecretService, folder: string) => Promise<T>,
): Promise<T> {
  const { secrets, location } = await openSecretsManager({ ...place, create, onNotice: noticesTo(terminal) });
  const opened = { secrets, location, close: () => secrets.close() };
  return await whileOpen(opened, async () => await use(secrets, locationText(location)));
}

/** Opens the audit log of the secrets while `use` runs, whether or not it is on. */
export async function withAuditLog<T>(
  { place, terminal }: CommandContext,
  use: (log: AuditLog) => Promise<T>,
): Promise<T> {
  const { secrets, audit } = await openSecretsManager({
    ...place,
    create: false,
    audit: true,
    onNotice: noticesTo(terminal),
  });
  try {
    // Never null: it is on.
    if (audit === null) throw new TypeError("the audit log is off");
    return await use(audit);
  } finally {
    await secrets.close();
  }
}

/** Opens secrets and run history while `use` runs, to run or check workflows. */
export async function withEngine<T>(
  { place, terminal, runsPath }: CommandContext,
  options: Pick<EngineOptions, "environment" | "keep">,
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  const { openEngine } = await import("./workflows.ts");
  const engine = await openEngine({
    ...place,
    config: place.defaults,
    runsPath,
    ...options,
    onNotice: noticesTo(terminal),
  });
  return await whileOpen(engine, async () => await use(engine));
}

/** Closes what was opened when the work is done, and adds hints to errors about names that were not found. */
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

/** Adds to an error about a name that was not found: the name that was probably meant, and the folder. */
async function withPlace(error: AutokestraError, secrets: SecretService, folder: string): Promise<AutokestraError> {
  if (!hasCode(error, "SECRET_NOT_FOUND", "SECRETS_MISSING")) return error;
  const { code, message, details } = error;
  // For several names, the hint already has what the source knows.
  const [name] = code === "SECRET_NOT_FOUND" ? (details.names ?? []) : [];
  const nearest = name === undefined ? null : nearestName(name, await namesOf(secrets));
  const didYouMean = nearest === null ? undefined : `Did you mean '${nearest}'?`;
  const parts = [didYouMean, error.hint, `Looked in ${quotePath(folder)}.`].filter((part) => part !== undefined);
  return new AutokestraError(code, message, { hint: parts.join(" "), details });
}

async function namesOf(secrets: SecretService): Promise<readonly string[]> {
  return (await secrets.list()).map(({ name }) => name);
}

/**
 * Parses `--expires-at`. Null stands for `never`.
 *
 * @throws AutokestraError `VALUE_INVALID`
 */
export function parseExpiry(name: SecretName, text: string | undefined): Timestamp | null | undefined {
  if (text === undefined) return undefined;
  return text === "never" ? null : checkExpiry(name, text, () => new Date().toISOString());
}

/** The warning for an expiry in the past; null otherwise. */
export function expiredWarning(name: SecretName, expiresAt: Timestamp | null): string | null {
  if (expiresAt === null || expiresAt > new Date().toISOString()) return null;
  return `warning: '${name}' already expired at ${expiresAt}`;
}
