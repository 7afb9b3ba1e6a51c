import type { SealedSecret } from "../secret.ts";
import type { SecretStore } from "../secret-store.ts";

/** Puts one secret under whatever header the store has. */
export async function putSecret(
  store: SecretStore,
  secret: SealedSecret,
  expectedVersion: number | null = null,
): Promise<void> {
  await store.put([{ secret, expectedVersion }], await store.readHeader());
}
