import { AutokestraError, fieldNotFound, integrityFailed, quoteText } from "./errors.ts";
import type { FieldFlags } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import type { SecretFields, SecretType } from "./secret-type.ts";

/** How a field is treated. What is neither public nor masked is hidden, but masked only inside credentials (`user:password`). */
export interface FieldSecrecy {
  readonly name: string;
  /** Encrypted like all fields, but shown by `describe` and never masked. */
  readonly public: boolean;
  /** Masked wherever it stands. */
  readonly masked: boolean;
}

/** A change of flags. */
export interface FlagChange {
  readonly publicFields?: readonly string[] | undefined;
  readonly maskFields?: readonly string[] | undefined;
  /** Fields that are again as secret as their type says. */
  readonly secretFields?: readonly string[] | undefined;
}

/** Fields that are public by their type. */
const PUBLIC: Readonly<Record<SecretType, readonly string[]>> = {
  apiKey: [],
  basicAuth: [],
  bearerToken: ["expiresAt"],
  oauth: ["tokenUrl", "scopes", "expiresAt"],
  custom: [],
};

/** Fields that name somebody: ordinary words, which would be masked everywhere. */
const IDENTIFIERS: Readonly<Record<SecretType, readonly string[]>> = {
  apiKey: [],
  basicAuth: ["username"],
  bearerToken: [],
  oauth: ["clientId"],
  custom: [],
};

/**
 * How each field of a secret is treated, by its type and its flags.
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
 * The flags after a change. Flags of fields that the secret does not have are dropped.
 *
 * @throws AutokestraError `FIELD_NOT_FOUND`; `VALUE_INVALID` where a field is secret by its type and is to become public
 */
export function changeFlags(
  name: string,
  type: SecretType,
  fields: SecretFields,
  flags: FieldFlags,
  { publicFields = [], maskFields = [], secretFields = [] }: FlagChange,
): FieldFlags {
  const names = Object.keys(fields);
  for (const field of [...publicFields, ...maskFields, ...secretFields]) {
    if (!names.includes(field)) throw fieldNotFound(field, name, names);
  }
  for (const field of publicFields) {
    if (!canBePublic(type, field)) throw alwaysSecret(name, type, field);
    if (maskFields.includes(field) || secretFields.includes(field)) throw contradiction(name, field);
  }
  const dropped = new Set([...publicFields, ...maskFields, ...secretFields]);
  const keep = (list: readonly string[]) => list.filter((field) => names.includes(field) && !dropped.has(field));
  return {
    public: [...new Set([...keep(flags.public), ...publicFields])],
    masked: [...new Set([...keep(flags.masked), ...maskFields])],
  };
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

/** What is encrypted of a secret: its values, and which of them are not as secret as their type says. */
export interface SecretPayload {
  readonly fields: SecretFields;
  readonly flags: FieldFlags;
}

export const NO_FLAGS: FieldFlags = { public: [], masked: [] };

/** The text that is encrypted in envelopes of format 2. */
export function formatPayload({ fields, flags }: SecretPayload): Plaintext {
  return JSON.stringify({ fields, public: flags.public, masked: flags.masked }) as Plaintext;
}

/**
 * Reads what was encrypted. Its form was checked before it was encrypted: who could change it could also have encrypted anything.
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
 * What was encrypted, as the text that is encrypted today: for whoever encrypts a record again without a look at its values.
 *
 * @throws AutokestraError `INTEGRITY_FAILED`
 */
export function toCurrentPayload(name: string, format: number, plaintext: Plaintext): Plaintext {
  return format === 1 ? formatPayload(parsePayload(name, format, plaintext)) : plaintext;
}
