import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createMemoryStore, parseSecretName } from "../../packages/secrets-core/dist/index.js";
import { createSecretEncryption, createStoreKeys } from "../../packages/secrets-crypto/dist/index.js";
import { measure } from "../measure.mjs";

const GOALS = { seal: 0.95, open: 0.85 };

const record = {
  id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
  name: parseSecretName("GITHUB_TOKEN"),
  type: /** @type {const} */ ("apiKey"),
  version: 1,
  expiresAt: "2030-01-01T00:00:00.000Z",
};

/** @returns {Promise<string[][]>} A table. */
export async function measureSealing() {
  const rows = [["", "raw", "raw promised", "ours", "raw/ours", "goal", "", "promised/ours"]];
  for (const size of [32, 256, 4096]) {
    const times = await measure(await createWays(size));
    rows.push(toRow("seal", size, times), toRow("open", size, times));
  }
  return rows;
}

/** @param {"seal" | "open"} verb @param {number} size @param {Readonly<Record<string, number>>} times */
function toRow(verb, size, times) {
  const raw = times[`${verb} raw`] ?? Number.NaN;
  const promised = times[`${verb} promised`] ?? Number.NaN;
  const ours = times[`${verb} ours`] ?? Number.NaN;
  const goal = GOALS[verb];
  const figures = [raw, promised, ours, raw / ours, goal].map((figure) => figure.toFixed(2));
  return [`${verb} ${size} B`, ...figures, raw / ours >= goal ? "met" : "missed", (promised / ours).toFixed(2)];
}

/**
 * Raw works on bytes that are there already. "Promised" is raw with the interface of a SecretEncryption: text in, text out,
 * and a promise.
 *
 * @param {number} size
 */
async function createWays(size) {
  const json = JSON.stringify({ value: "x".repeat(size - '{"value":""}'.length) });
  const text = /** @type {import("../../packages/secrets-core/dist/index.js").Plaintext} */ (json);
  const plaintext = Buffer.from(text);
  const keys = createMemoryKeys();
  const encryption = createSecretEncryption(keys);
  const { active, header } = await keys.current();
  const aad = randomBytes(aadLength(header.storeId, active.id));
  const sealed = seal(active.bytes, aad, plaintext);
  const { envelope } = await encryption.seal(record, text);
  return {
    "seal raw": () => seal(active.bytes, aad, plaintext),
    "seal promised": async () => seal(active.bytes, aad, Buffer.from(text)),
    "seal ours": () => encryption.seal(record, text),
    "open raw": () => open(active.bytes, aad, sealed),
    "open promised": async () => open(active.bytes, aad, sealed).toString("utf8"),
    "open ours": () => encryption.open(record, envelope),
  };
}

/** The keys of a store that writes nothing to the disk. */
function createMemoryKeys() {
  const key = async () => ({
    source: "benchmark",
    otherSource: null,
    kind: /** @type {const} */ ("bytes"),
    material: randomBytes(32),
  });
  return createStoreKeys(createMemoryStore(), { load: key, generate: key, pending: async () => [] });
}

/** @param {string} storeId @param {string} keyId */
function aadLength(storeId, keyId) {
  const { id, name, type, version, expiresAt } = record;
  const fields = ["autokestra secret", 1, storeId, id, name, type, version, keyId, expiresAt];
  return fields.reduce((/** @type {number} */ sum, field) => sum + 4 + Buffer.byteLength(String(field)), 0);
}

/** @param {Buffer} key @param {Buffer} aad @param {Buffer} plaintext */
function seal(key, aad, plaintext) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

/** @param {Buffer} key @param {Buffer} aad @param {{ nonce: Buffer, ciphertext: Buffer, tag: Buffer }} sealed */
function open(key, aad, { nonce, ciphertext, tag }) {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  decipher.final();
  return plaintext;
}
