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
import { encodeFields } from "./encode-fields.ts";
import type { Keyring } from "./keyring.ts";

/** The format of the envelopes made here. */
const FORMAT = 1;

/**
 * Seals and opens records with AES-256-GCM (NIST SP 800-38D), each bound to its store, its identity and its key.
 *
 * @param openKeys is called once, when a value is first sealed or opened: listing needs no key
 */
export function createSecretEncryption(openKeys: () => Promise<Keyring>): SecretEncryption {
  let opening: Promise<Keyring> | null = null;
  let closed = false;

  async function keyring(): Promise<Keyring> {
    if (closed) throw new AutokestraError("KEY_MISSING", "The keys are closed");
    opening ??= openKeys();
    return await opening;
  }

  return {
    async seal(record, plaintext) {
      const { storeId, active } = await keyring();
      if (!plaintext.isWellFormed()) throw notWellFormed(record.name);
      const bytes = Buffer.from(plaintext);
      const sealed = sealBytes(active.bytes, recordAad(storeId, active.id, record), bytes);
      bytes.fill(0);
      return { format: FORMAT, keyId: active.id, ...sealed };
    },

    async open(record, envelope) {
      const keys = await keyring();
      const bytes = openEnvelope(keys, record, envelope);
      if (bytes === null) throw integrityFailed(record.name);
      const plaintext = bytes.toString("utf8") as Plaintext;
      bytes.fill(0);
      return plaintext;
    },

    close() {
      closed = true;
      // Keys that never opened need no closing, and why they did not was said when it happened.
      opening?.then(
        (keys) => keys.close(),
        () => undefined,
      );
    },
  };
}

function openEnvelope(keys: Keyring, record: RecordIdentity, envelope: Envelope): Buffer | null {
  const key = keys.find(envelope.keyId);
  if (key === null || envelope.format !== FORMAT) return null;
  return openBytes(key.bytes, recordAad(keys.storeId, key.id, record), envelope);
}

/** Everything a ciphertext must not be separated from (SP 800-38D: additional authenticated data). */
function recordAad(storeId: string, keyId: string, record: RecordIdentity): Buffer {
  const { id, name, type, version, expiresAt } = record;
  return encodeFields(["autokestra secret", FORMAT, storeId, id, name, type, version, keyId, expiresAt]);
}

function notWellFormed(name: string): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `The value of secret '${quoteText(name)}' is not well-formed Unicode`, {
    hint: "It holds half of a surrogate pair. Encode binary values as base64.",
  });
}
