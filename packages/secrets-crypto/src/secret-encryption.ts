import {
  AutokestraError,
  integrityFailed,
  type Plaintext,
  quoteText,
  type RecordIdentity,
  type SecretEncryption,
} from "@autokestra/secrets-core";
import { openBytes, type SealedBytes, sealBytes } from "./aes-gcm.ts";
import { createFieldEncoder } from "./encode-fields.ts";
import type { StoreKeys } from "./store-keys.ts";

/** The format of the envelopes made here. */
const FORMAT = 1;

/**
 * Seals and opens records with AES-256-GCM (NIST SP 800-38D), each bound to its store, its identity and its key.
 *
 * @param keys are opened when a value is first sealed or opened: listing needs no key
 */
export function createSecretEncryption(keys: StoreKeys): SecretEncryption {
  const recordAad = createRecordAad();

  return {
    async seal(record, plaintext) {
      if (!plaintext.isWellFormed()) throw notWellFormed(record.name);
      const { header, active, text } = await keys.forSeal();
      const sealed = sealText(active.bytes, recordAad(header.storeId, active.id, record), plaintext);
      return { envelope: { format: FORMAT, keyId: active.id, ...sealed }, header: text };
    },

    async open(record, envelope) {
      const found = keys.forOpen(envelope.keyId);
      const keyring = found instanceof Promise ? await found : found;
      const key = keyring.find(envelope.keyId);
      if (key === null || envelope.format !== FORMAT) throw integrityFailed(record.name);
      const bytes = openBytes(key.bytes, recordAad(keyring.header.storeId, key.id, record), envelope);
      if (bytes === null) throw integrityFailed(record.name);
      const plaintext = bytes.toString("utf8") as Plaintext;
      bytes.fill(0);
      return plaintext;
    },

    async refresh() {
      await keys.current();
    },

    close() {
      keys.close();
    },
  };
}

type RecordAad = (storeId: string, keyId: string, record: RecordIdentity) => Buffer;

/**
 * Everything a ciphertext must not be separated from (SP 800-38D: additional authenticated data). The records of a store have
 * its beginning in common.
 *
 * @returns gives the bytes, which its next call overwrites
 */
function createRecordAad(): RecordAad {
  let known: string | null = null;
  let encode = createFieldEncoder([]);
  return (storeId, keyId, { id, name, type, version, expiresAt }) => {
    if (storeId !== known) {
      encode = createFieldEncoder(["autokestra secret", FORMAT, storeId]);
      known = storeId;
    }
    return encode([id, name, type, version, keyId, expiresAt]);
  };
}

/** Where short texts stand while they are sealed: no copies of them in memory that is collected some time. */
const scratch = Buffer.alloc(16 * 1024);

function sealText(key: Uint8Array, aad: Uint8Array, text: string): SealedBytes {
  // A UTF-16 unit takes up to three bytes in UTF-8.
  const bytes = text.length * 3 > scratch.length ? Buffer.from(text) : scratch.subarray(0, scratch.write(text));
  try {
    return sealBytes(key, aad, bytes);
  } finally {
    bytes.fill(0);
  }
}

function notWellFormed(name: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The value of secret '${quoteText(name)}' is not well-formed Unicode`, {
    hint: "It holds half of a surrogate pair. Encode binary values as base64.",
  });
}
