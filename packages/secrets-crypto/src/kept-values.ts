import { createHmac, hkdfSync } from "node:crypto";
import { decryptFromBytes, encryptToBytes, KEY_BYTES } from "./aes-gcm.ts";
import { createFieldEncoder, encodeFields } from "./encode-fields.ts";
import type { KeyManager } from "./key-manager.ts";

/** The format of kept values. */
const FORMAT = 2;

/** The only namespace has no name. */
const NAMESPACE = null;

/** What a kept value is bound to besides its store and its run. */
export interface KeptValuePlace {
  /** What kind of value it is. */
  readonly kind: string;
  /** The name of the task or item in its run, such as `deploy[3]`; empty for what belongs to the run. */
  readonly task: string;
  /** In which attempt of the run. */
  readonly attempt: number;
}

/** Encrypts what one run keeps. */
export interface KeptValueCipher {
  /** The id of the service key that the key of the run is derived from. */
  readonly keyId: string;
  /** @returns nonce, tag, ciphertext */
  encrypt(place: KeptValuePlace, text: string): Uint8Array;
  /** Null if it is not exactly what was encrypted for this place of this run. */
  decrypt(place: KeptValuePlace, bytes: Uint8Array): string | null;
}

/** Gives the ciphers of runs. */
export interface KeptValueKeys {
  /**
   * @param keyId the id of the service key of older values. Default: the one for new values
   * @returns null if the store has no keys yet, or does not have this one
   * @throws AutokestraError `KEY_*`, `INTEGRITY_FAILED`, and what the store throws
   */
  forRun(run: string, keyId?: string): Promise<KeptValueCipher | null>;
  /**
   * Marks a request, to recognise the same one again: the same text has the same mark in every process with the key. Without the key it
   * tells nothing of the text, also where somebody can guess that.
   *
   * @returns null if the store has no keys yet
   * @throws AutokestraError as `forRun`
   */
  mark(text: string): Promise<string | null>;
}

/**
 * Creates what encrypts the kept values of runs: AES-256-GCM under a key for each run, derived from a service key of the
 * store (HKDF-SHA256, RFC 5869). A rotation of the master key or of data keys leaves them readable.
 */
export function createKeptValueKeys(keys: KeyManager): KeptValueKeys {
  return {
    async forRun(run, keyId) {
      const keyring = await keys.keyringIfAny();
      const service = keyring?.serviceKey(keyId) ?? null;
      return keyring === null || service === null ? null : createCipher(run, keyring.header.storeId, service);
    },
    async mark(text) {
      const keyring = await keys.keyringIfAny();
      const service = keyring?.serviceKey() ?? null;
      if (keyring === null || service === null) return null;
      const info = encodeFields(["autokestra request marks", FORMAT, keyring.header.storeId, NAMESPACE]);
      const key = Buffer.from(hkdfSync("sha256", service.bytes, Buffer.alloc(0), info, KEY_BYTES));
      const mark = createHmac("sha256", key).update(text).digest("base64url");
      key.fill(0);
      return mark;
    },
  };
}

function createCipher(
  run: string,
  storeId: string,
  service: { readonly id: string; readonly bytes: Uint8Array },
): KeptValueCipher {
  const info = encodeFields(["autokestra kept outputs", FORMAT, storeId, NAMESPACE, run]);
  const key = Buffer.from(hkdfSync("sha256", service.bytes, Buffer.alloc(0), info, KEY_BYTES));
  const encode = createFieldEncoder(["autokestra kept value", FORMAT, storeId, run]);
  const aad = ({ kind, task, attempt }: KeptValuePlace) => {
    const [, name = task, item = null] = /^(.*)\[(\d+)\]$/s.exec(task) ?? [];
    return encode([name === "" ? null : name, item, attempt, kind]);
  };
  return {
    keyId: service.id,
    encrypt(place, text) {
      const plaintext = Buffer.from(text);
      const bytes = encryptToBytes(key, aad(place), plaintext);
      plaintext.fill(0);
      return bytes;
    },
    decrypt(place, bytes) {
      const plaintext = decryptFromBytes(key, aad(place), bytes);
      const text = plaintext === null ? null : plaintext.toString();
      plaintext?.fill(0);
      return text;
    },
  };
}
