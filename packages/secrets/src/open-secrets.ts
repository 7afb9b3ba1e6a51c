import type { SecretService } from "@autokestra/secrets-core";
import { openInstallation, type SecretsOptions } from "./installation.ts";

/**
 * Opens the secrets of an installation. Close what you get.
 *
 * @throws as {@link openInstallation}
 */
export async function openSecrets(options: SecretsOptions = {}): Promise<SecretService> {
  return (await openInstallation(options)).secrets;
}
