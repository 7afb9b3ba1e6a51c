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
 * Raw works on bytes that are there already. "Promised" is raw with the interface of a SecretEncryption: a record and text in, text
 * out, and a promise; so it makes the AAD and the fields of the MAC from the record, in the cheapest way that binds all of them. Encrypting
 * makes the MAC of the record too.
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
  const aadOf = () => bindingOf(record, header.storeId, active.id);
  const batch = [{ metadata: record, plaintext: text }];
  const { secrets } = await encryption.encrypt(batch);
  const [secret] = secrets;
  if (secret === undefined) throw new Error("nothing was encrypted");
  const macKey = randomBytes(32);
  const aad = aadOf();
  const fields = fieldsOf(record, secret.envelope.nonce);
  const encrypted = encrypt(active.bytes, aad, plaintext, macKey, () => fields);
  return {
    "encrypt raw": () => encrypt(active.bytes, aad, plaintext, macKey, () => fields),
    "encrypt promised": async () =>
      encrypt(active.bytes, aadOf(), Buffer.from(text), macKey, (nonce) => fieldsOf(record, nonce)),
    "encrypt ours": () => encryption.encrypt(batch),
    "decrypt raw": () => decrypt(active.bytes, aad, encrypted),
    "decrypt promised": async () => decrypt(active.bytes, aadOf(), encrypted).toString("utf8"),
    "decrypt ours": () => encryption.decrypt(record, secret.envelope),
    "verify raw": () => timingSafeEqual(authenticate(macKey, fields), encrypted.mac),
    "verify promised": async () =>
      timingSafeEqual(authenticate(macKey, fieldsOf(record, encrypted.nonce)), encrypted.mac),
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

/** What a ciphertext is bound to: no field has a NUL in it. @param {typeof record} record @param {string} storeId @param {string} keyId */
function bindingOf({ id, name, type, version, expiresAt, policy }, storeId, keyId) {
  return Buffer.from(`secret v2\0${storeId}\0${id}\0${name}\0${type}\0${version}\0${keyId}\0${expiresAt}\0${policy}`);
}

/** What the MAC covers. @param {typeof record} record @param {Uint8Array} nonce */
function fieldsOf({ id, name, type, version, revision, description, tags, ...rest }, nonce) {
  const current = `${id}\0${name}\0${type}\0${version}\0${Buffer.from(nonce).toString("base64")}\0${revision}`;
  const { createdAt, updatedAt, expiresAt, deletedAt, importedId, policy } = rest;
  const whole = `${tags.length}\0${tags.join("\0")}\0${createdAt}\0${updatedAt}\0${expiresAt}\0${deletedAt}`;
  return Buffer.from(`record v2\0${current}\0${description ?? "\0"}\0${whole}\0${importedId}\0${policy}`);
}

/**
 * @param {Buffer} key @param {Buffer} aad @param {Buffer} plaintext @param {Buffer} macKey
 * @param {(nonce: Buffer) => Buffer} toFields
 */
function encrypt(key, aad, plaintext, macKey, toFields) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return { nonce, ciphertext, tag: cipher.getAuthTag(), mac: authenticate(macKey, toFields(nonce)) };
}

/** @param {Buffer} key @param {Buffer} fields */
function authenticate(key, fields) {
  return createHmac("sha256", key).update(fields).digest();
}

/** @param {Buffer} key @param {Buffer} aad @param {{ nonce: Uint8Array, ciphertext: Uint8Array, tag: Uint8Array }} encrypted */
function decrypt(key, aad, { nonce, ciphertext, tag }) {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 });
  decipher.setAAD(aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(ciphertext);
  decipher.final();
  return plaintext;
}
