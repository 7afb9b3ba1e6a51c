import {
  AutokestraError,
  type EncryptedSecret,
  type Plaintext,
  type SecretEncryption,
  type UnencryptedSecret,
} from "@autokestra/secrets-core";
import { integrityFailed, quoteText } from "@autokestra/secrets-core/internal";
import { decryptBytes, type EncryptedBytes, encryptBytes } from "./aes-gcm.ts";
import { RECORD_FORMAT } from "./data-key.ts";
import type { KeyManager } from "./key-manager.ts";
import type { Keyring } from "./keyring.ts";
import { createRecordAad, type RecordAad } from "./record-fields.ts";

/** The length of the key id at the beginning of a MAC. */
const KEY_ID_LENGTH = 8;

/** How many UTF-16 units of text are encrypted before the rest of the process gets a turn. */
const TURN_UNITS = 16 * 1024 * 1024;
/** The fixed cost of a secret in units: a turn encrypts at most 256 secrets. */
const SECRET_UNITS: number = TURN_UNITS / 256;

/**
 * Creates the encryption of a store. It encrypts and decrypts records with AES-256-GCM (NIST SP 800-38D), each bound to
 * its store, its identity and its key: a record that was renamed, swapped or edited does not decrypt. It authenticates
 * metadata and the choice of the current version with HMAC-SHA256 (RFC 2104). `createSecretService` of
 * `@autokestra/secrets-core` uses it; call it yourself only for records of your own. Its methods throw AutokestraError
 * `VALUE_INVALID` for a text that is not well-formed, `INTEGRITY_FAILED` for a changed record, and the codes of the
 * keys.
 *
 * @param keys the keys of the store, opened when the first value is encrypted or decrypted: listing needs no key.
 * `close` closes them
 *
 * @example
 * ```ts
 * import {
 *   createKeyManager,
 *   createMasterKeyProvider,
 *   createMemoryStore,
 *   createSecretEncryption,
 *   type Plaintext,
 *   parseSecretName,
 *   type SecretMetadata,
 * } from "@autokestra/secrets-crypto";
 *
 * const env = { AUTOKESTRA_SECRET_KEY: "correct horse battery staple" };
 * const provider = createMasterKeyProvider({ env, keyFolder: null });
 * const encryption = createSecretEncryption(createKeyManager(createMemoryStore(), provider));
 *
 * const metadata: SecretMetadata = {
 *   id: "1b671a64-40d5-491e-99b0-da01ff1f3341",
 *   name: parseSecretName("DB"),
 *   type: "apiKey",
 *   description: null,
 *   tags: [],
 *   version: 1,
 *   revision: 1,
 *   createdAt: "2026-01-02T03:04:05.678Z",
 *   updatedAt: "2026-01-02T03:04:05.678Z",
 *   expiresAt: null,
 *   deletedAt: null,
 *   importedId: null,
 *   policy: null,
 * };
 * const { secrets } = await encryption.encrypt([{ metadata, plaintext: "s3cret" as Plaintext }]);
 * for (const { envelope } of secrets) {
 *   console.log(await encryption.decrypt(metadata, envelope)); // prints s3cret
 *   const renamed = { ...metadata, name: parseSecretName("OTHER") };
 *   await encryption.decrypt(renamed, envelope).catch(({ code }) => console.log(code)); // prints INTEGRITY_FAILED
 * }
 * encryption.close();
 * ```
 */
export function createSecretEncryption(
  keys: Pick<KeyManager, "keyring" | "forEncrypt" | "forDecrypt" | "forVerify" | "close">,
): SecretEncryption {
  const recordAad = createRecordAad();

  return {
    async encrypt(secrets) {
      for (const { metadata, plaintext } of secrets) {
        if (!plaintext.isWellFormed()) throw notWellFormed(metadata.name);
      }
      const keyring = await keys.forEncrypt(secrets.length);
      const encrypted: EncryptedSecret[] = [];
      let units = 0;
      for (const secret of secrets) {
        if (units >= TURN_UNITS) units = await takeTurn();
        encrypted.push(encryptOne(keyring, recordAad, secret));
        units += secret.plaintext.length + SECRET_UNITS;
      }
      return { secrets: encrypted, header: keyring.text };
    },

    async authenticate(secrets) {
      const keyring = await keys.forEncrypt(0);
      const authenticated: EncryptedSecret[] = [];
      let units = 0;
      for (const secret of secrets) {
        if (units >= TURN_UNITS) units = await takeTurn();
        authenticated.push({ ...secret, mac: keyring.authenticate(secret) });
        units += SECRET_UNITS;
      }
      return { secrets: authenticated, header: keyring.text };
    },

    async decrypt(record, envelope) {
      const keyring = await keys.forDecrypt(envelope.keyId);
      const key = keyring.find(envelope.keyId);
      if (key === null || envelope.format !== key.format) throw integrityFailed(record.name);
      const bytes = decryptBytes(key.bytes, recordAad(key.format, keyring.header.storeId, key.id, record), envelope);
      if (bytes === null) throw integrityFailed(record.name);
      const plaintext = bytes.toString("utf8") as Plaintext;
      bytes.fill(0);
      return plaintext;
    },

    async verify(current) {
      const keyring = await keys.forVerify(current.mac?.slice(0, KEY_ID_LENGTH) ?? null);
      if (!keyring.checkMac(current, current.mac)) throw integrityFailed(current.metadata.name);
    },

    async refresh() {
      await keys.keyring();
    },

    close() {
      keys.close();
    },
  };
}

/** Gives the rest of the process a turn. @returns the amount of work since, which is 0 */
async function takeTurn(): Promise<number> {
  await new Promise((resolve) => void setImmediate(resolve));
  return 0;
}

function encryptOne(
  keyring: Keyring,
  recordAad: RecordAad,
  { metadata, plaintext }: UnencryptedSecret,
): EncryptedSecret {
  const { active, header } = keyring;
  const aad = recordAad(RECORD_FORMAT, header.storeId, active.id, metadata);
  const { nonce, ciphertext, tag } = encryptText(active.bytes, aad, plaintext);
  const envelope = { format: RECORD_FORMAT, keyId: active.id, nonce, ciphertext, tag };
  return { metadata, envelope, mac: keyring.authenticate({ metadata, envelope }) };
}

function encryptText(key: Uint8Array, aad: Uint8Array, text: string): EncryptedBytes {
  const bytes = Buffer.from(text);
  try {
    return encryptBytes(key, aad, bytes);
  } finally {
    bytes.fill(0);
  }
}

function notWellFormed(name: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The value of secret '${quoteText(name)}' is not well-formed Unicode`, {
    hint: "It contains half of a surrogate pair. Encode binary values as base64.",
  });
}
