import { AutokestraError } from "./errors.ts";
import type { EncryptedSecret, Envelope, SecretMetadata } from "./secret.ts";
import { isIdentifier, parseSecretName } from "./secret-name.ts";
import { parsePolicy } from "./secret-policy.ts";
import { isSecretType } from "./secret-type.ts";
import { isTimestamp } from "./time.ts";

/** A field of the metadata: how it is stored, shown and authenticated. */
export interface MetadataField {
  /** The type of its value; `texts` is a list of texts. */
  readonly kind: "text" | "number" | "texts";
  readonly isNullable: boolean;
  /** Stored with every version, or only with the current version for the whole secret. */
  readonly keptWith: "every version" | "current version";
  /** The formats of envelopes whose ciphertext is bound to it (AAD). */
  readonly aad: readonly (1 | 2)[];
  /** True if the MAC of the secret covers it. */
  readonly isInMac: boolean;
  /** When JSON shows it; `if set`: when it is not null. */
  readonly json: "never" | "always" | "if set";
  /** Its value in layout 1, if that has no such field: a value, or the name of the field it equals. */
  readonly inLayout1?: { readonly value: null } | { readonly sameAs: keyof SecretMetadata };
  /** Tells whether a value may be stored; for `texts`, whether one text may. Never called with null. */
  readonly isValid: (value: unknown) => boolean;
}

/** Fields by name. JSON, the MAC and columns have them in this order. */
export type MetadataFields<Name extends string = string> = Readonly<Record<Name, MetadataField>>;

const PER_VERSION = { isNullable: false, keptWith: "every version", aad: [], isInMac: true, json: "always" } as const;
const PER_SECRET = { isNullable: true, keptWith: "current version", aad: [], isInMac: true, json: "never" } as const;

/**
 * The fields of the metadata. Columns, checks, JSON, AAD and MAC follow from this table. A new field needs a member of
 * `SecretMetadata`, a row here, and a migration of the stores that have columns.
 */
export const METADATA_FIELDS: MetadataFields<keyof SecretMetadata> = {
  id: { ...PER_VERSION, kind: "text", aad: [1, 2], isValid: isUuid },
  name: { ...PER_VERSION, kind: "text", aad: [1, 2], isValid: (name) => isText(name) && isIdentifier(name) },
  type: { ...PER_VERSION, kind: "text", aad: [1, 2], isValid: isSecretType },
  description: { ...PER_VERSION, kind: "text", isNullable: true, isValid: (text) => descriptionProblem(text) === null },
  tags: { ...PER_VERSION, kind: "texts", isValid: (tag) => tagProblem(tag) === null },
  version: { ...PER_VERSION, kind: "number", aad: [1, 2], isValid: isPositive },
  revision: {
    ...PER_SECRET,
    kind: "number",
    isNullable: false,
    inLayout1: { sameAs: "version" },
    isValid: isPositive,
  },
  createdAt: { ...PER_VERSION, kind: "text", isValid: isTimestamp },
  updatedAt: { ...PER_VERSION, kind: "text", isValid: isTimestamp },
  expiresAt: { ...PER_VERSION, kind: "text", isNullable: true, aad: [1, 2], isValid: isTimestamp },
  deletedAt: { ...PER_SECRET, kind: "text", json: "if set", isValid: isTimestamp },
  importedId: {
    ...PER_SECRET,
    kind: "number",
    inLayout1: { value: null },
    isValid: (id) => id === 0 || isPositive(id),
  },
  policy: { ...PER_SECRET, kind: "text", aad: [2], inLayout1: { value: null }, isValid: isText },
};

/** Returns the names of the fields that pass. */
export function fieldNames<Name extends string>(
  fields: MetadataFields<Name>,
  passes: (field: MetadataField) => boolean = () => true,
): readonly Name[] {
  return (Object.keys(fields) as Name[]).filter((name) => passes(fields[name]));
}

/** Checks, copies and prints metadata according to a table of fields. */
interface MetadataReader<Metadata> {
  /** Tells whether metadata may be stored. */
  readonly isValid: (metadata: unknown) => metadata is Metadata;
  /** Returns the fields that are not set, or have a value that may not be stored: `version`, `tags.1`. */
  readonly invalid: (metadata: object) => readonly string[];
  /** Returns a copy that has only the fields of the table. */
  readonly copy: (metadata: Metadata) => Metadata;
  /** Returns the metadata as JSON shows them. */
  readonly toJson: (metadata: Metadata) => object;
}

export function createMetadataReader<Metadata extends object>(
  fields: MetadataFields<keyof Metadata & string>,
): MetadataReader<Metadata> {
  type Name = keyof Metadata & string;
  const rows = fieldNames<Name>(fields).map((name) => {
    // All of one shape, which `...fields[name]` would not make.
    const { kind, isNullable, json, isValid } = fields[name];
    return { name, kind, isNullable, json, isValid };
  });
  const shown = rows.filter(({ json }) => json !== "never");

  function isRight({ name, kind, isNullable, isValid }: (typeof rows)[number], metadata: Partial<Metadata>): boolean {
    const value: unknown = metadata[name];
    if (value === null) return isNullable;
    return kind === "texts" ? Array.isArray(value) && value.every(isValid) : isValid(value);
  }

  /** Returns the path of an invalid value: `tags.1` for the second text of a list. */
  function pathOf({ name, isValid }: (typeof rows)[number], value: unknown): string {
    return Array.isArray(value) ? `${name}.${value.findIndex((item) => !isValid(item))}` : name;
  }

  function pick(metadata: Metadata, some: typeof rows): Metadata {
    const copy: Partial<Metadata> = {};
    for (const { name } of some) copy[name] = metadata[name];
    return copy as Metadata;
  }

  return {
    isValid: (metadata): metadata is Metadata =>
      isObject(metadata) && rows.every((row) => isRight(row, metadata as Partial<Metadata>)),
    invalid(metadata) {
      const wrong: string[] = [];
      for (const row of rows) {
        if (!isRight(row, metadata)) wrong.push(pathOf(row, (metadata as Partial<Metadata>)[row.name]));
      }
      return wrong;
    },
    copy: (metadata) => pick(metadata, rows),
    toJson: (metadata) =>
      pick(
        metadata,
        shown.filter(({ name, json }) => json === "always" || metadata[name] !== null),
      ),
  };
}

const reader = createMetadataReader<SecretMetadata>(METADATA_FIELDS);

/** Tells whether metadata may be stored. */
export function isMetadata(metadata: unknown): metadata is SecretMetadata {
  return reader.isValid(metadata);
}

/** Returns a copy that has only the fields of {@link METADATA_FIELDS}. */
export function copyMetadata(metadata: SecretMetadata): SecretMetadata {
  return reader.copy(metadata);
}

/**
 * Returns metadata as the command line and the API show them in JSON: in a fixed order, with `deletedAt` only for a
 * deleted secret, with `allow` only where there are rules (null if they cannot be read), and without what is internal.
 */
export function metadataToJson(metadata: SecretMetadata): object {
  const { policy } = metadata;
  return { ...reader.toJson(metadata), ...(policy !== null && { allow: parsePolicy(policy) }) };
}

/**
 * Checks an encrypted secret before it is stored. TypeScript's types do not protect a store from parsed JSON.
 *
 * @returns a copy that has only known fields
 * @throws AutokestraError `NAME_INVALID`; `VALUE_INVALID`, which names the invalid fields but not their values
 */
export function checkEncryptedSecret(secret: EncryptedSecret): EncryptedSecret {
  const wrong = invalidParts(secret);
  if (wrong.length === 0) return copyEncrypted(secret);
  if (wrong.includes("metadata.name")) {
    const { name } = secret.metadata;
    parseSecretName(typeof name === "string" ? name : "");
  }
  throw new AutokestraError("VALUE_INVALID", `Invalid encrypted secret: ${wrong.join(", ")}`, {
    hint: "Each of these fields is missing, or not of the form that a store keeps.",
  });
}

/**
 * Returns an encrypted secret as a store has read it, in a copy that has only known fields; null if it is not valid.
 */
export function readEncryptedSecret(secret: {
  readonly metadata: unknown;
  readonly envelope: unknown;
  readonly mac: unknown;
}): EncryptedSecret | null {
  return invalidParts(secret).length === 0 ? copyEncrypted(secret as EncryptedSecret) : null;
}

const isBytes = (value: unknown) => value instanceof Uint8Array;

/** Lengths are checked by the cipher, and the mac by the encryption. */
const ENVELOPE: Readonly<Record<keyof Envelope, (value: unknown) => boolean>> = {
  format: (format) => format === 0 || isPositive(format),
  keyId: isText,
  nonce: isBytes,
  ciphertext: isBytes,
  tag: isBytes,
};

const ENVELOPE_PARTS = Object.entries(ENVELOPE);

function invalidParts(secret: unknown): readonly string[] {
  if (!isObject(secret)) return ["record"];
  const { metadata, envelope, mac } = secret as Readonly<Record<string, unknown>>;
  const wrong = isObject(metadata) ? reader.invalid(metadata).map((field) => `metadata.${field}`) : ["metadata"];
  if (!isObject(envelope)) wrong.push("envelope");
  else {
    for (const [part, isValid] of ENVELOPE_PARTS) if (!isValid(envelope[part])) wrong.push(`envelope.${part}`);
  }
  if (mac !== null && !isText(mac)) wrong.push("mac");
  return wrong;
}

function copyEncrypted({ metadata, envelope, mac }: EncryptedSecret): EncryptedSecret {
  const { format, keyId, nonce, ciphertext, tag } = envelope;
  return { metadata: copyMetadata(metadata), envelope: { format, keyId, nonce, ciphertext, tag }, mac };
}

/** Returns what is wrong with a description, as the end of a sentence (`must be text`); null if it is valid. */
export function descriptionProblem(text: unknown): string | null {
  return lineProblem(text) ?? (String(text).length > 1000 ? "must have at most 1000 characters" : null);
}

/** Returns what is wrong with a tag, as {@link descriptionProblem}. */
export function tagProblem(text: unknown): string | null {
  const problem = lineProblem(text);
  if (problem !== null) return problem;
  if (text === "") return "must not be empty";
  return String(text).length > 100 ? "must have at most 100 characters" : null;
}

/** Nearly all lines are ASCII, and the check for Unicode takes ten times as long. */
function lineProblem(text: unknown): string | null {
  if (!isText(text)) return "must be text";
  const isLine = /^[ -~]*$/.test(text) || /^[^\p{C}\p{Zl}\p{Zp}]*$/u.test(text);
  return isLine ? null : "must be one line without control characters";
}

function isObject(value: unknown): value is Readonly<Record<string, never>> {
  return typeof value === "object" && value !== null;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** Tells whether a value is a UUID of RFC 9562, section 4, or its nil or max UUID in lower case. */
export function isUuid(value: unknown): value is string {
  return isText(value) && UUID.test(value);
}

const UUID =
  /^(?:[\dA-Fa-f]{8}-[\dA-Fa-f]{4}-[1-8][\dA-Fa-f]{3}-[89ABab][\dA-Fa-f]{3}-[\dA-Fa-f]{12}|0{8}(?:-0{4}){3}-0{12}|f{8}(?:-f{4}){3}-f{12})$/;

function isPositive(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) > 0;
}
