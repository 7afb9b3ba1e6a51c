import { integrityFailed } from "./errors.ts";
import type { FieldFlags } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import type { SecretFields } from "./secret-type.ts";

/** What is sealed of a secret: its values, and which of them are not as secret as their type says. */
export interface SecretPayload {
  readonly fields: SecretFields;
  readonly flags: FieldFlags;
}

export const NO_FLAGS: FieldFlags = { public: [], masked: [] };

/** The text that is sealed in envelopes of format 2. */
export function formatPayload({ fields, flags }: SecretPayload): Plaintext {
  return JSON.stringify({ fields, public: flags.public, masked: flags.masked }) as Plaintext;
}

/**
 * Reads what was sealed. Its form was checked before it was sealed: who could change it could also have sealed anything.
 *
 * @param format of the envelope: in format 1 the text is the fields alone
 * @throws AutokestraError `INTEGRITY_FAILED`
 */
export function parsePayload(name: string, format: number, plaintext: Plaintext): SecretPayload {
  try {
    const json = JSON.parse(plaintext);
    if (format === 1) return { fields: json, flags: NO_FLAGS };
    return { fields: json.fields, flags: { public: json.public, masked: json.masked } };
  } catch {
    // An error of JSON.parse quotes what it has read.
    throw integrityFailed(name);
  }
}

/**
 * What was sealed, as the text that is sealed today: for whoever seals a record anew without a look at its values.
 *
 * @throws AutokestraError `INTEGRITY_FAILED`
 */
export function toCurrentPayload(name: string, format: number, plaintext: Plaintext): Plaintext {
  return format === 1 ? formatPayload(parsePayload(name, format, plaintext)) : plaintext;
}
