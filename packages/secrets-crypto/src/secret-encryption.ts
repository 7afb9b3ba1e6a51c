import {
  AutokestraError,
  type Envelope,
  integrityFailed,
  type Plaintext,
  quoteText,
  type RecordIdentity,
  type SecretEncryption,
} from "@autokestra/secrets-core";
import { openBytes, sealBytes } from "./aes-gcm.ts";
import { encodeFieldsBriefly } from "./encode-fields.ts";
import type { Keyring } from "./keyring.ts";
import type { StoreKeys } from "./store-keys.ts";

/** The format of the envelopes made here. */
const FORMAT = 1;

/**
 * Seals and opens records with AES-256-GCM (NIST SP 800-38D), each bound to its store, its identity and its key.
 *
 * @param keys are opened when a value is first sealed or opened: listing needs no key
 */
export function createSecretEncryption(keys: StoreKeys): SecretEncryption {
  return {
    async seal(record, plaintext) {
      if (!plaintext.isWellFormed()) throw notWellFormed(record.name);
      const keyring = await keys.forSeal();
      return { envelope: sealRecord(keyring, record, plaintext), header: keyring.text };
    },

    async open(record, envelope) {
      const bytes = openRecord(await keys.forOpen(envelope.keyId), record, envelope);
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

function sealRecord({ header, active }: Keyring, record: RecordIdentity, plaintext: Plaintext): Envelope {
  const bytes = Buffer.from(plaintext);
  const sealed = sealBytes(active.bytes, recordAad(header.storeId, active.id, record), bytes);
  bytes.fill(0);
  return { format: FORMAT, keyId: active.id, ...sealed };
}

function openRecord(keyring: Keyring, record: RecordIdentity, envelope: Envelope): Buffer | null {
  const key = keyring.find(envelope.keyId);
  if (key === null || envelope.format !== FORMAT) return null;
  return openBytes(key.bytes, recordAad(keyring.header.storeId, key.id, record), envelope);
}

/** Everything a ciphertext must not be separated from (SP 800-38D: additional authenticated data). */
function recordAad(storeId: string, keyId: string, record: RecordIdentity): Buffer {
  const { id, name, type, version, expiresAt } = record;
  return encodeFieldsBriefly(["autokestra secret", FORMAT, storeId, id, name, type, version, keyId, expiresAt]);
}

function notWellFormed(name: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The value of secret '${quoteText(name)}' is not well-formed Unicode`, {
    hint: "It holds half of a surrogate pair. Encode binary values as base64.",
  });
}
