import { randomBytes } from "node:crypto";
import { createSecretService, parseSecretName } from "../../packages/secrets-core/dist/index.js";
import { createKeyManager, createSecretEncryption } from "../../packages/secrets-crypto/dist/index.js";
import { openSqliteStore } from "../../packages/secrets-store-sqlite/dist/index.js";

/** The number of secrets that are inserted at a time. */
const BATCH = 5000;

/**
 * Opens a store with a number of encrypted secrets of 256 bytes, each with one version, and its service.
 *
 * @param {string} path @param {number} size @param {number} [maxVersions]
 */
export async function openSecretsManager(path, size, maxVersions) {
  const store = await openSqliteStore(path);
  const encryption = createSecretEncryption(createKeyManager(store, createProvider()));
  const now = () => new Date().toISOString();
  const secrets = createSecretService({ store, encryption, now, newId: () => crypto.randomUUID(), maxVersions });
  for (let from = 0; from < size; from += BATCH) {
    const names = Array.from({ length: Math.min(BATCH, size - from) }, (_, index) => nameOf(from + index));
    const { secrets: encrypted } = await encryption.encrypt(names.map(sample));
    await store.bulkInsert(encrypted.map((secret) => [secret]));
  }
  return { store, encryption, secrets };
}

/** One random master key. */
function createProvider() {
  const bytes = randomBytes(32);
  const key = {
    source: "benchmark",
    kind: /** @type {const} */ ("bytes"),
    bytes: async () => Buffer.from(bytes),
    stretchingForNewStore: async () => null,
  };
  const search = async () => ({
    isGiven: true,
    places: [],
    first: key,
    async *keys() {
      yield key;
    },
  });
  return { search, generate: async () => key };
}

const TIME = "2026-01-02T03:04:05.678Z";

/** Names in the order of their numbers. @param {number} index */
export function nameOf(index) {
  return parseSecretName(`SECRET_${String(index).padStart(6, "0")}`);
}

/** The plaintext of a secret: 256 bytes. */
export const PLAINTEXT = /** @type {import("../../packages/secrets-core/dist/index.js").Plaintext} */ (
  JSON.stringify({ fields: { value: "x".repeat(209) }, public: [], masked: [] })
);

/** @param {import("../../packages/secrets-core/dist/index.js").SecretName} name */
export function sample(name) {
  const metadata = {
    id: crypto.randomUUID(),
    name,
    type: /** @type {const} */ ("apiKey"),
    description: null,
    tags: [],
    version: 1,
    revision: 1,
    createdAt: TIME,
    updatedAt: TIME,
    expiresAt: null,
    deletedAt: null,
    importedId: null,
    policy: null,
  };
  return { metadata, plaintext: PLAINTEXT };
}
