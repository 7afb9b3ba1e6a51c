import type { SealedSecret } from "../secret.ts";
import type { ExpectedSecret, SecretStore } from "../secret-store.ts";

/**
 * Puts one secret under whatever header the store has.
 *
 * @param expected the secret that it follows, such as the metadata of the version before; null: it is a new one
 */
export async function putSecret(
  store: SecretStore,
  secret: SealedSecret,
  expected: ExpectedSecret | null = null,
): Promise<void> {
  await store.put([{ secret, expected }], await store.readHeader());
}
