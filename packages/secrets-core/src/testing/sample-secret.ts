import type { EncryptedSecret, SecretMetadata } from "../secret.ts";
import { parseSecretName } from "../secret-name.ts";

/**
 * Returns an encrypted secret with made-up bytes, which is enough for a store because it never decrypts. Different
 * names have different ids, and each name, version and revision has different bytes and another mac. The revision is
 * the version.
 */
export function sampleSecret(name: string, changes: Partial<SecretMetadata> = {}): EncryptedSecret {
  const { version = 1, revision = version } = changes;
  const seed = hashOf(`${name} ${version}`);
  const bytes = (length: number) => Uint8Array.from({ length }, (_, index) => ((seed >>> (index % 24)) + index) % 256);
  return {
    metadata: {
      id: sampleId(name),
      name: parseSecretName(name),
      type: "apiKey",
      description: null,
      tags: [],
      version,
      revision,
      createdAt: "2026-01-02T03:04:05.678Z",
      updatedAt: "2026-01-02T03:04:05.678Z",
      expiresAt: null,
      deletedAt: null,
      importedId: null,
      policy: null,
      ...changes,
    },
    envelope: { format: 2, keyId: "0badcafe", nonce: bytes(12), ciphertext: bytes(40), tag: bytes(16) },
    mac: `c0ffee00:${hex(hashOf(`${name} ${version} ${revision}`)).padEnd(43, "A")}=`,
  };
}

/** Returns the id that {@link sampleSecret} gives a secret of this name. */
export function sampleId(name: string): string {
  const [a, b, c] = [hashOf(name), hashOf(`${name} `), hashOf(`${name}  `)].map(hex);
  return `${a}-${b?.slice(0, 4)}-4${b?.slice(5)}-a${c?.slice(1, 4)}-${c?.slice(4)}${a}`;
}

function hex(number: number): string {
  return number.toString(16).padStart(8, "0");
}

/** Returns 32 bits of FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
