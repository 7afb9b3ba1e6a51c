import type { SealedSecret, SecretMetadata } from "../secret.ts";
import { parseSecretName } from "../secret-name.ts";

/** A sealed secret with made-up bytes: enough for a store, which never opens one. */
export function sampleSecret(name: string, changes: Partial<SecretMetadata> = {}): SealedSecret {
  const version = changes.version ?? 1;
  const bytes = (length: number) =>
    Uint8Array.from({ length }, (_, index) => (name.length * 31 + version * 7 + index) % 256);
  return {
    metadata: {
      id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
      name: parseSecretName(name),
      type: "apiKey",
      description: null,
      tags: [],
      version,
      createdAt: "2026-01-02T03:04:05.678Z",
      updatedAt: "2026-01-02T03:04:05.678Z",
      expiresAt: null,
      deletedAt: null,
      ...changes,
    },
    envelope: { format: 1, keyId: "0badcafe", nonce: bytes(12), ciphertext: bytes(40), tag: bytes(16) },
  };
}
