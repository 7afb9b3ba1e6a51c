import { createCipheriv, createHmac, hkdfSync, pbkdf2Sync, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "./open-database.mjs";

const TIME = "2026-01-02T03:04:05.678Z";
const DATA_KEY = "0badcafe";

const SCHEMA = `
  CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), text TEXT NOT NULL) STRICT;
  CREATE TABLE secrets (
    id TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, description TEXT, tags TEXT NOT NULL, version INTEGER NOT NULL,
    is_current INTEGER NOT NULL CHECK (is_current IN (0, 1)), created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    expires_at TEXT, deleted_at TEXT CHECK (is_current OR deleted_at IS NULL), format INTEGER NOT NULL, key_id TEXT NOT NULL,
    nonce BLOB NOT NULL, tag BLOB NOT NULL, ciphertext BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX secrets_version ON secrets (name, version);
  CREATE UNIQUE INDEX secrets_current ON secrets (name) WHERE is_current = 1;
  CREATE INDEX secrets_type ON secrets (type, name) WHERE is_current = 1;
  CREATE INDEX secrets_expiry ON secrets (name, expires_at) WHERE is_current = 1 AND expires_at IS NOT NULL;
  CREATE INDEX secrets_deleted ON secrets (name, deleted_at) WHERE is_current = 1 AND deleted_at IS NOT NULL;
`;

/**
 * Makes a store as version 1 has made it, after docs/FORMAT.md and without a line of the program: every third secret has two
 * versions, every tenth is deleted.
 *
 * @param {string} folder Of the store; it is made.
 * @param {string} backend
 * @param {number} size
 * @param {string} key A passphrase, or 64 hex characters.
 */
export function makeVersion1(folder, backend, size, key) {
  const keys = createKeys(key);
  const secrets = Array.from({ length: size }, (_, index) => {
    const [id, name] = [randomUUID(), `S${index}`];
    const versions = index % 3 === 0 ? [1, 2] : [1];
    return versions.map((version) => {
      const metadata = {
        id,
        name,
        type: "apiKey",
        description: null,
        tags: ["t"],
        version,
        createdAt: TIME,
        updatedAt: TIME,
      };
      const deletedAt = index % 10 === 9 && version === versions.length ? new Date().toISOString() : null;
      const envelope = keys.seal(metadata, JSON.stringify({ value: `value ${index} ${version}` }));
      return { metadata: { ...metadata, expiresAt: null, deletedAt }, envelope };
    });
  });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (backend === "sqlite") writeDatabase(join(folder, "secrets.db"), keys.header, secrets);
  else writeDocument(join(folder, "secrets.json"), keys.header, secrets);
}

/** The values of such a store, by name and version. @param {number} size */
export function valuesOf(size) {
  return Array.from({ length: size }, (_, index) => ({
    name: `S${index}`,
    isDeleted: index % 10 === 9,
    value: `value ${index} ${index % 3 === 0 ? 2 : 1}`,
  }));
}

/** @param {string} key */
function createKeys(key) {
  const salt = randomBytes(16);
  const isKey = /^[0-9a-f]{64}$/.test(key);
  const bytes = isKey ? Buffer.from(key, "hex") : pbkdf2Sync(key, salt, 600_000, 32, "sha256");
  const name = isKey ? "hkdf-sha256" : "pbkdf2-hmac-sha256";
  const kdf = { name, salt: salt.toString("base64"), ...(isKey ? {} : { iterations: 600_000 }) };
  const derive = (/** @type {string} */ purpose) =>
    Buffer.from(hkdfSync("sha256", bytes, salt, `autokestra v1 ${purpose}`, 32));
  const storeId = randomUUID();
  const dataKey = randomBytes(32);
  const { nonce, ciphertext, tag } = encrypt(
    derive("key encryption"),
    list(["autokestra data key", 1, storeId, DATA_KEY]),
    dataKey,
  );
  const wrapped = Buffer.concat([nonce, ciphertext, tag]).toString("base64");
  const entry = { id: DATA_KEY, state: "active", createdAt: TIME, seals: 40_960, wrapped };
  const keyCheck = derive("key check").toString("base64");
  const fields = ["autokestra header", 1, storeId, name, kdf.salt, isKey ? null : 600_000, keyCheck, 1];
  const mac = createHmac("sha256", derive("header"))
    .update(list([...fields, DATA_KEY, "active", TIME, 40_960, wrapped]))
    .digest("base64");
  return {
    header: JSON.stringify({ format: 1, storeId, kdf, dataKeys: [entry], keyCheck, mac }),
    /** @param {{ id: string, name: string, type: string, version: number }} record @param {string} text */
    seal({ id, name: secret, type, version }, text) {
      const aad = list(["autokestra secret", 1, storeId, id, secret, type, version, DATA_KEY, null]);
      return { format: 1, keyId: DATA_KEY, ...encrypt(dataKey, aad, Buffer.from(text)) };
    },
  };
}

/** @param {Buffer} key @param {Buffer} aad @param {Buffer} plaintext */
function encrypt(key, aad, plaintext) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: 16 }).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return { nonce, ciphertext, tag: cipher.getAuthTag() };
}

/** @param {readonly (string | number | null)[]} fields */
function list(fields) {
  return Buffer.concat(
    fields.map((field) => {
      const text = Buffer.from(field === null ? "" : String(field));
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field === null ? 0xffffffff : text.length);
      return Buffer.concat([length, text]);
    }),
  );
}

/** @typedef {ReturnType<ReturnType<typeof createKeys>["seal"]>} Envelope */
/** @typedef {{ metadata: Record<string, unknown>, envelope: Envelope }} Sealed */

/** @param {string} path @param {string} header @param {readonly (readonly Sealed[])[]} secrets */
function writeDatabase(path, header, secrets) {
  const database = openDatabase(path);
  database.pragma("journal_mode = WAL");
  database.pragma("application_id = 0x616b7374");
  database.exec(SCHEMA);
  database.pragma("user_version = 1");
  database.prepare("INSERT INTO header VALUES (1, ?)").run(header);
  const insert = database.prepare(`
    INSERT INTO secrets VALUES (@id, @name, @type, @description, @tags, @version, @isCurrent, @createdAt, @updatedAt, @expiresAt,
      @deletedAt, @format, @keyId, @nonce, @tag, @ciphertext)`);
  database.immediate(() => {
    for (const versions of secrets) {
      for (const [index, { metadata, envelope }] of versions.entries()) {
        const isCurrent = index === versions.length - 1 ? 1 : 0;
        insert.run({ ...metadata, tags: JSON.stringify(metadata["tags"]), isCurrent, ...envelope });
      }
    }
  });
  database.close();
}

/** @param {string} path @param {string} header @param {readonly (readonly Sealed[])[]} secrets */
function writeDocument(path, header, secrets) {
  const toEntry = (/** @type {Sealed} */ { metadata, envelope: { nonce, tag, ciphertext, ...rest } }) => {
    const bytes = { nonce, tag, ciphertext };
    const texts = Object.entries(bytes).map(([field, value]) => [field, value.toString("base64")]);
    return { ...metadata, envelope: { ...rest, ...Object.fromEntries(texts) } };
  };
  const entries = secrets.map((versions) => {
    const [newest, ...older] = versions.map(toEntry).toReversed();
    const own = older.map(({ id: _id, name: _name, deletedAt: _deletedAt, ...fields }) => fields);
    return { ...newest, older: own };
  });
  writeFileSync(path, JSON.stringify({ format: 1, header, secrets: entries }), { mode: 0o600 });
}
