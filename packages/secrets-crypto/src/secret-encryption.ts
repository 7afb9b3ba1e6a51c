import {
  AutokestraError,
  type EncryptedSecret,
  integrityFailed,
  type Plaintext,
  quoteText,
  type SecretEncryption,
  type UnencryptedSecret,
} from "@autokestra/secrets-core";
import { decryptBytes, type EncryptedBytes, encryptBytes } from "./aes-gcm.ts";
import { RECORD_FORMAT } from "./data-key.ts";
import type { KeyManager } from "./key-manager.ts";
import type { Keyring } from "./keyring.ts";
import { createRecordAad } from "./record-fields.ts";

/** The length of the key id that a MAC begins with. */
const KEY_ID_LENGTH = 8;

/** How many UTF-16 units of text are sealed before the rest of the process gets a turn. */
const TURN_UNITS = 16 * 1024 * 1024;
/** A secret of no length takes as long as one of so many units: 256 of them are a turn's work. */
const SECRET_UNITS: number = TURN_UNITS / 256;

/**
 * Seals and opens records with AES-256-GCM (NIST SP 800-38D), each bound to its store, its identity and its key; authenticates
 * metadata and the choice of the current version with HMAC-SHA256.
 *
 * @param keys are opened when a value is first sealed or opened: listing needs no key
 */
export function createSecretEncryption(
  keys: Pick<KeyManager, "current" | "forEncrypt" | "forDecrypt" | "forVerify" | "close">,
): SecretEncryption {
  const recordAad = createRecordAad();

  function encryptOne(keyring: Keyring, { metadata, plaintext }: UnencryptedSecret): EncryptedSecret {
    const { active, header } = keyring;
    const aad = recordAad(RECORD_FORMAT, header.storeId, active.id, metadata);
    const envelope = { format: RECORD_FORMAT, keyId: active.id, ...encryptText(active.bytes, aad, plaintext) };
    return { metadata, envelope, mac: keyring.authenticate({ metadata, envelope }) };
  }

  return {
    async encrypt(secrets) {
      for (const { metadata, plaintext } of secrets) {
        if (!plaintext.isWellFormed()) throw notWellFormed(metadata.name);
      }
      const keyring = await keys.forEncrypt(secrets.length);
      const sealed: EncryptedSecret[] = [];
      let units = 0;
      for (const secret of secrets) {
        if (units >= TURN_UNITS) units = await takeTurn();
        sealed.push(encryptOne(keyring, secret));
        units += secret.plaintext.length + SECRET_UNITS;
      }
      return { secrets: sealed, header: keyring.text };
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
      await keys.current();
    },

    close() {
      keys.close();
    },
  };
}

/** Lets the rest of the process have a turn. @returns how much was done since */
async function takeTurn(): Promise<number> {
  await new Promise((resolve) => void setImmediate(resolve));
  return 0;
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
    hint: "It holds half of a surrogate pair. Encode binary values as base64.",
  });
}
