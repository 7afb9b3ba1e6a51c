import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createMemoryStore, parseSecretName } from "../../packages/secrets-core/dist/index.js";
import { createKeyManager, createSecretEncryption } from "../../packages/secrets-crypto/dist/index.js";
import { measure } from "../measure.mjs";

/** @typedef {"encrypt" | "decrypt" | "verify"} Verb */

/** @type {Readonly<Record<Verb, number>>} */
const GOALS = { encrypt: 0.9, decrypt: 0.82, verify: 0.5 };

const record = {
  id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
  name: parseSecretName("GITHUB_TOKEN"),
  type: /** @type {const} */ ("apiKey"),
  description: null,
  tags: ["ci"],
  version: 1,
  revision: 1,
  createdAt: "2026-01-02T03:04:05.678Z",
  updatedAt: "2026-01-02T03:04:05.678Z",
  expiresAt: "2030-01-01T00:00:00.000Z",
  deletedAt: null,
  importedId: null,
  policy: null,
};

/** @returns {Promise<string[][]>} A table. */
export async function measureEncryption() {
  const rows = [["", "raw", "raw promised", "ours", "promised/ours", "goal", "", "raw/ours"]];
  for (const size of [32, 256, 4096]) {
    const times = await measure(await createWays(size));
    for (const verb of /** @type {Verb[]} */ (["encrypt", "decrypt", "verify"])) rows.push(toRow(verb, size, times));
  }
  return rows;
}

/** @param {Verb} verb @param {number} size @param {Readonly<Record<string, number>>} times */
function toRow(verb, size, times) {
  const raw = times[`${verb} raw`] ?? Number.NaN;
  const promised = times[`${verb} promised`] ?? Number.NaN;
  const ours = times[`${verb} ours`] ?? Number.NaN;
  const goal = GOALS[verb];
  const ratio = promised / ours;
  const figures = [raw, promised, ours, ratio, goal].map((figure) => figure.toFixed(2));
  return [`${verb} ${size} B`, ...figures, ratio >= goal ? "met" : "missed", (raw / ours).toFixed(2)];
}

/**
 * Raw works on existing bytes of the same lengths. "Promised" is raw with the interface of a SecretEncryption:
 * text in, text out, with a promise. Encrypting includes the MAC of the record.
 *
 * @param {number} size
 */
async function createWays(size) {
  const json = JSON.stringify({ value: "x".repeat(size - '{"value":""}'.length) });
  const text = /** @type {import("../../packages/secrets-core/dist/index.js").Plaintext} */ (json);
  const plaintext = Buffer.from(text);
  const keys = createMemoryKeys();
  const encryption = createSecretEncryption(keys);
  const { active, header } = await keys.forEncrypt(0);
  const aad = randomBytes(lengthOf(["autokestra secret", 2, header.storeId, null, ...identity(), active.id, null]));
  const fields = randomBytes(lengthOf(["autokestra record", 2, null, ...identity(), ...whole()]));
  const batch = [{ metadata: record, plaintext: text }];
  const { secrets } = await encryption.encrypt(batch);
  const [secret] = secrets;
  if (secret === undefined) throw new Error("nothing was encrypted");
  const encrypted = encrypt(active.bytes, aad, fields, plaintext);
  return {
    "encrypt raw": () => encrypt(active.bytes, aad, fields, plaintext),
    "encrypt promised": async () => encrypt(active.bytes, aad, fields, Buffer.from(text)),
    "encrypt ours": () => encryption.encrypt(batch),
    "decrypt raw": () => decrypt(active.bytes, aad, encrypted),
    "decrypt promised": async () => decrypt(active.bytes, aad, encrypted).toString("utf8"),
    "decrypt ours": () => encryption.decrypt(record, secret.envelope),
    "verify raw": () => timingSafeEqual(authenticate(active.bytes, fields), encrypted.mac),
    "verify promised": async () => timingSafeEqual(authenticate(active.bytes, fields), encrypted.mac),
    "verify ours": () => encryption.verify(secret),
  };
}

/** The keys of a store that writes nothing to the disk. */
function createMemoryKeys() {
  const key = {
    source: "benchmark",
    kind: /** @type {const} */ ("bytes"),
    bytes: async () => Buffer.alloc(32, 1),
    stretchingForNewStore: async () => null,
  };
  const search = async () => ({
    isGiven: true,
    places: [],
    first: key,
    async *keys() {
      yield key;
    },
    elsewhere: async () => null,
  });
  return createKeyManager(createMemoryStore(), { search, generate: async () => key });
}

function identity() {
  return [record.id, record.name, record.type, record.version, record.expiresAt];
}

function whole() {
  const { revision, description, tags, createdAt, updatedAt, deletedAt, importedId } = record;
  const nonce = "x".repeat(16);
  return [nonce, revision, description, tags.length, ...tags, createdAt, updatedAt, deletedAt, importedId, null];
}

/** @param {readonly (string | number | null)[]} fields */
function lengthOf(fields) {
  return fields.reduce((/** @type {number} */ sum, field) => sum + 4 + Buffer.byteLength(String(field ?? "")), 0);
}

/** @param {Buffer} key @param {Buffer} aad @param {Buffer} fields @param {Buffer} plaintext */
function encrypt(key, aad, fields, plaintext) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag(), mac: authenticate(key, fields) };
}

/** @param {Buffer} key @param {Buffer} fields */
function authenticate(key, fields) {
  return createHmac("sha256", key).update(fields).digest();
}

/** @param {Buffer} key @param {Buffer} aad @param {{ nonce: Buffer, ciphertext: Buffer, tag: Buffer }} encrypted */
function decrypt(key, aad, { nonce, ciphertext, tag }) {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  decipher.final();
  return plaintext;
}
