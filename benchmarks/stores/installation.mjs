import { randomBytes } from "node:crypto";
import { createSecretService, parseSecretName } from "../../packages/secrets-core/dist/index.js";
import { createSecretEncryption, createStoreKeys } from "../../packages/secrets-crypto/dist/index.js";
import { openSqliteStore } from "../../packages/secrets-store-sqlite/dist/index.js";

/** @typedef {import("../../packages/secrets-core/dist/index.js").SealedSecret} SealedSecret */

/** How many secrets are loaded at once. */
const BATCH = 5000;

/**
 * A store of so many sealed secrets of 256 bytes, each of one version, and the service over it.
 *
 * @param {string} path @param {number} size
 */
export async function openInstallation(path, size) {
  const store = await openSqliteStore(path);
  const key = {
    source: "benchmark",
    otherSource: null,
    kind: /** @type {const} */ ("bytes"),
    material: randomBytes(32),
  };
  const provider = { load: async () => key, generate: async () => key, pending: async () => [] };
  const encryption = createSecretEncryption(createStoreKeys(store, provider));
  const secrets = createSecretService({ store, encryption, now: () => TIME, newId: () => crypto.randomUUID() });
  for (let from = 0; from < size; from += BATCH) {
    const names = Array.from({ length: Math.min(BATCH, size - from) }, (_, index) => nameOf(from + index));
    await store.load(await Promise.all(names.map(async (name) => [await sealSample(encryption, name)])));
  }
  return { store, encryption, secrets };
}

const TIME = "2026-01-02T03:04:05.678Z";

/** Names in the order of their numbers. @param {number} index */
export function nameOf(index) {
  return parseSecretName(`SECRET_${String(index).padStart(6, "0")}`);
}

/** The plaintext of a secret: 256 bytes. */
export const PLAINTEXT = /** @type {import("../../packages/secrets-core/dist/index.js").Plaintext} */ (
  JSON.stringify({ value: "x".repeat(256 - '{"value":""}'.length) })
);

/**
 * @param {import("../../packages/secrets-core/dist/index.js").SecretEncryption} encryption
 * @param {import("../../packages/secrets-core/dist/index.js").SecretName} name
 * @returns {Promise<SealedSecret>}
 */
export async function sealSample(encryption, name, version = 1) {
  const metadata = {
    id: crypto.randomUUID(),
    name,
    type: /** @type {const} */ ("apiKey"),
    description: null,
    tags: [],
    version,
    createdAt: TIME,
    updatedAt: TIME,
    expiresAt: null,
    deletedAt: null,
  };
  const { envelope } = await encryption.seal(metadata, PLAINTEXT);
  return { metadata, envelope };
}
