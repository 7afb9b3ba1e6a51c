import { AutokestraError, fieldNotFound, integrityFailed, quoteText } from "./errors.ts";
import type { FieldFlags } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";

/**
 * How a field is treated. A field that is neither public nor masked is hidden, but masked only inside credentials
 * (`user:password`).
 */
export interface FieldSecrecy {
  readonly name: string;
  /** Encrypted like all fields, but shown by `describe` and never masked. */
  readonly public: boolean;
  /** Masked wherever it appears. */
  readonly masked: boolean;
}

/** A change of how fields are treated. Default of each list: none. */
export interface FlagChange {
  /** Fields to make public. */
  readonly publicFields?: readonly string[] | undefined;
  /** Fields to mask as whole words. */
  readonly maskFields?: readonly string[] | undefined;
  /** Fields to treat as their type says again. */
  readonly secretFields?: readonly string[] | undefined;
}

/** Fields that are public in every secret of the type. */
const PUBLIC: Readonly<Record<SecretType, readonly string[]>> = {
  apiKey: [],
  basicAuth: [],
  bearerToken: ["expiresAt"],
  oauth: ["tokenUrl", "scopes", "expiresAt"],
  custom: [],
};

/** Fields that name a user. They are often ordinary words, which would be masked everywhere. */
const IDENTIFIERS: Readonly<Record<SecretType, readonly string[]>> = {
  apiKey: [],
  basicAuth: ["username"],
  bearerToken: [],
  oauth: ["clientId"],
  custom: [],
};

/**
 * Returns how each field of a secret is treated, according to its type and its flags.
 *
 * @param flags default: none
 */
export function secrecyOf(
  type: SecretType,
  fields: SecretFields,
  flags: FieldFlags = NO_FLAGS,
): readonly FieldSecrecy[] {
  return Object.keys(fields).map((name) => {
    const isMasked = flags.masked.includes(name);
    const isPublic = !isMasked && (flags.public.includes(name) || PUBLIC[type].includes(name));
    const isIdentifier = IDENTIFIERS[type].includes(name);
    return { name, public: isPublic, masked: isMasked || !(isPublic || isIdentifier) };
  });
}

/**
 * Returns the flags after a change. Drops flags of fields that the secret does not have.
 *
 * @throws AutokestraError `FIELD_NOT_FOUND`; `VALUE_INVALID` if the type does not allow a field to be public
 */
export function changeFlags(
  name: string,
  type: SecretType,
  fields: SecretFields,
  flags: FieldFlags,
  { publicFields = [], maskFields = [], secretFields = [] }: FlagChange,
): FieldFlags {
  const names = Object.keys(fields);
  const given = [...publicFields, ...maskFields, ...secretFields];
  for (const field of given) {
    if (!names.includes(field)) throw fieldNotFound(field, name, names);
  }
  for (const field of publicFields) {
    if (!canBePublic(type, field)) throw alwaysSecret(name, type, field);
    if (maskFields.includes(field) || secretFields.includes(field)) throw contradiction(name, field);
  }
  const keep = (list: readonly string[]) => list.filter((field) => names.includes(field) && !given.includes(field));
  return {
    public: withoutRepeats([...keep(flags.public), ...publicFields]),
    masked: withoutRepeats([...keep(flags.masked), ...maskFields]),
  };
}

function withoutRepeats(names: readonly string[]): readonly string[] {
  return names.length < 2 ? names : [...new Set(names)];
}

function canBePublic(type: SecretType, field: string): boolean {
  return type === "custom" || PUBLIC[type].includes(field) || IDENTIFIERS[type].includes(field);
}

function alwaysSecret(name: string, type: SecretType, field: string): AutokestraError {
  const message = `Field '${quoteText(field)}' of the ${type} secret '${quoteText(name)}' cannot be public`;
  return new AutokestraError("VALUE_INVALID", message, { hint: "Only fields of custom secrets and user names can." });
}

function contradiction(name: string, field: string): AutokestraError {
  const message = `Field '${quoteText(field)}' of secret '${quoteText(name)}' cannot be both public and masked`;
  return new AutokestraError("VALUE_INVALID", message, { hint: "Name it once." });
}

/**
 * The part of a secret that is encrypted: its values, and which of them are treated differently than their type says.
 */
export interface SecretPayload {
  readonly fields: SecretFields;
  readonly flags: FieldFlags;
}

export const NO_FLAGS: FieldFlags = { public: [], masked: [] };

/** Returns the plaintext of an envelope of format 2. */
export function formatPayload({ fields, flags }: SecretPayload): Plaintext {
  return JSON.stringify({ fields, public: flags.public, masked: flags.masked }) as Plaintext;
}

/**
 * Parses a decrypted plaintext. Its structure is not checked again: it was checked before it was encrypted, and it is
 * authentic.
 *
 * @param format the format of the envelope; in format 1 the plaintext holds the fields only
 * @throws AutokestraError `INTEGRITY_FAILED`
 */
export function parsePayload(name: string, format: number, plaintext: Plaintext): SecretPayload {
  try {
    const json = JSON.parse(plaintext);
    if (format === 1) return { fields: json, flags: NO_FLAGS };
    return { fields: json.fields, flags: { public: json.public, masked: json.masked } };
  } catch {
    // The error of JSON.parse quotes the plaintext.
    throw integrityFailed(name);
  }
}

/**
 * Converts a decrypted plaintext to format 2, for encrypting a record again.
 *
 * @throws AutokestraError `INTEGRITY_FAILED`
 */
export function toCurrentPayload(name: string, format: number, plaintext: Plaintext): Plaintext {
  return format === 1 ? formatPayload(parsePayload(name, format, plaintext)) : plaintext;
}
