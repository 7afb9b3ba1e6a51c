import { AutokestraError, integrityFailed, quoteText, secretNotFound } from "./errors.ts";
import { descriptionSchema, type Secret, type SecretInput, type SecretMetadata, tagSchema } from "./secret.ts";
import type { Plaintext, SecretEncryption } from "./secret-encryption.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
import { parseFields, type SecretFields } from "./secret-type.ts";
import { parseTimestamp, type Timestamp } from "./time.ts";

/** The largest secret: 16 MiB of its fields written as JSON. */
export const MAX_SECRET_LENGTH: number = 16 * 1024 * 1024;

/** How often a write starts again because another process has written the same name in between. */
const ATTEMPTS = 1000;

export interface SecretServiceOptions {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
  /** The time now. */
  readonly now: () => Timestamp;
  /** A new random UUID. */
  readonly newId: () => string;
}

export interface WriteOptions {
  /** Write only if this is the stored version; 0 means "only if there is none". */
  readonly ifVersion?: number | undefined;
}

/**
 * Secrets, by name: validate, seal, store, and back. All methods throw AutokestraError; besides the codes named there, those
 * of {@link SecretStore} and {@link SecretEncryption}.
 */
export interface SecretService {
  /** Stores a new secret. @throws `SECRET_EXISTS`, `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID` */
  create(input: SecretInput): Promise<SecretMetadata>;
  /** Replaces the value of a secret that exists. @throws `SECRET_NOT_FOUND`, `VERSION_CONFLICT`, … as `create` */
  update(input: SecretInput, options?: WriteOptions): Promise<SecretMetadata>;
  /** Creates or updates. @throws `VERSION_CONFLICT` with `ifVersion`, … as `create` */
  set(input: SecretInput, options?: WriteOptions): Promise<SecretMetadata>;
  /** @throws `SECRET_NOT_FOUND`, `INTEGRITY_FAILED` */
  get(name: string): Promise<Secret>;
  /** Metadata of one secret, without a key; null where there is none. */
  describe(name: string): Promise<SecretMetadata | null>;
  /** Metadata of all secrets that pass the filter, without a key. */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;
  /** @throws `SECRET_NOT_FOUND` */
  delete(name: string): Promise<void>;
  /** Closes the store and wipes the keys. */
  close(): Promise<void>;
}

/** What an input says once it is checked; only id, version and times are still open. */
interface ValidInput extends Omit<SecretInput, "name" | "expiresAt" | "fields"> {
  readonly name: SecretName;
  readonly fields: SecretFields;
  readonly expiresAt: Timestamp | null;
}

export function createSecretService(options: SecretServiceOptions): SecretService {
  const { store, encryption, now, newId } = options;

  /** Writes the next version after `current`; the store refuses it where `current` is no longer the current one. */
  async function write(input: ValidInput, current: SecretMetadata | null): Promise<SecretMetadata> {
    const time = now();
    const metadata: SecretMetadata = {
      id: current?.id ?? newId(),
      name: input.name,
      type: input.type,
      description: input.description === undefined ? (current?.description ?? null) : input.description,
      tags: input.tags ?? current?.tags ?? [],
      version: (current?.version ?? 0) + 1,
      createdAt: current?.createdAt ?? time,
      updatedAt: time,
      expiresAt: input.expiresAt,
    };
    const plaintext = JSON.stringify(input.fields) as Plaintext;
    if (plaintext.length > MAX_SECRET_LENGTH) throw tooLarge(input.name);
    const envelope = await encryption.seal(metadata, plaintext);
    await store.put({ metadata, envelope }, current?.version ?? null);
    return metadata;
  }

  async function stored(name: SecretName): Promise<SecretMetadata | null> {
    return (await store.get(name))?.metadata ?? null;
  }

  const service: SecretService = {
    async create(input) {
      return await write(checkInput(input), null);
    },

    async update(input, { ifVersion } = {}) {
      if ((await stored(parseSecretName(input.name))) === null) throw secretNotFound(input.name);
      return await service.set(input, { ifVersion });
    },

    async set(input, { ifVersion } = {}) {
      const valid = checkInput(input);
      for (let attempt = 1; ; attempt++) {
        const current = await stored(valid.name);
        if (ifVersion !== undefined && ifVersion !== (current?.version ?? 0))
          throw conflict(valid.name, current, ifVersion);
        try {
          return await write(valid, current);
        } catch (error) {
          if (!isRace(error) || ifVersion !== undefined || attempt === ATTEMPTS) throw error;
        }
      }
    },

    async get(name) {
      const sealed = await store.get(parseSecretName(name));
      if (sealed === null) throw secretNotFound(name);
      const { metadata, envelope } = sealed;
      const plaintext = await encryption.open(metadata, envelope);
      return { metadata, fields: parseFields(name, metadata.type, parsePlaintext(name, plaintext)) };
    },

    async describe(name) {
      return await stored(parseSecretName(name));
    },

    async list(filter) {
      return await store.list(filter);
    },

    async delete(name) {
      if (!(await store.delete(parseSecretName(name)))) throw secretNotFound(name);
    },

    async close() {
      encryption.close();
      await store.close();
    },
  };
  return service;
}

function checkInput(input: SecretInput): ValidInput {
  const name = parseSecretName(input.name);
  const fields = parseFields(name, input.type, input.fields);
  const { description, tags } = input;
  if (typeof description === "string") check(name, "description", descriptionSchema.safeParse(description));
  for (const tag of tags ?? []) check(name, `tag '${quoteText(tag)}'`, tagSchema.safeParse(tag));
  const unique = tags === undefined ? undefined : [...new Set(tags)];
  return { name, type: input.type, fields, description, tags: unique, expiresAt: readExpiry(name, input, fields) };
}

/** An error of JSON.parse quotes what it has read: it must not get out. */
function parsePlaintext(name: string, plaintext: Plaintext): unknown {
  try {
    return JSON.parse(plaintext);
  } catch {
    throw integrityFailed(name);
  }
}

function check(
  name: string,
  what: string,
  result: { error?: { issues: readonly { message: string }[] } | undefined },
): void {
  const issue = result.error?.issues[0];
  if (issue) throw new AutokestraError("VALUE_INVALID", `Secret '${name}': ${what} ${issue.message}`);
}

/** A bearerToken and an oauth secret can say when they expire in a field; the metadata must then say the same. */
function readExpiry(name: SecretName, input: SecretInput, fields: SecretFields): Timestamp | null {
  const inField = typeof fields["expiresAt"] === "string" && input.type !== "custom" ? fields["expiresAt"] : null;
  if (input.expiresAt === undefined || input.expiresAt === null) return inField;
  const expiresAt = parseTimestamp(input.expiresAt);
  if (expiresAt === null) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}': the expiry is not a time`, {
      hint: "Write ISO 8601, such as 2027-01-31 or 2027-01-31T12:00:00Z, or milliseconds since 1970.",
    });
  }
  if (inField !== null && inField !== expiresAt) {
    throw new AutokestraError("VALUE_INVALID", `Secret '${name}' has two different expiry times`, {
      hint: "Give it once: as the expiry of the secret or as its field expiresAt.",
    });
  }
  return expiresAt;
}

function isRace(error: unknown): boolean {
  return error instanceof AutokestraError && (error.code === "VERSION_CONFLICT" || error.code === "SECRET_EXISTS");
}

function conflict(name: SecretName, current: SecretMetadata | null, expected: number): AutokestraError {
  const is = current === null ? "does not exist" : `has version ${current.version}`;
  return new AutokestraError(
    "VERSION_CONFLICT",
    `Secret '${name}' ${is}, not version ${expected}; nothing was written`,
    {
      hint: "Read it again, then write with the version it has now.",
    },
  );
}

function tooLarge(name: SecretName): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}' is larger than 16 MiB`, {
    hint: "Store large files elsewhere, sealed with a key that is kept here.",
  });
}
