import { AutokestraError, type ErrorCode, integrityFailed, quoteText, secretNotFound } from "./errors.ts";
import { descriptionSchema, type Secret, type SecretInput, type SecretMetadata, tagSchema } from "./secret.ts";
import type { Plaintext, SecretEncryption } from "./secret-encryption.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import type { SecretFilter, SecretStore, SecretWrite } from "./secret-store.ts";
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
  /** Creates or updates many, no name twice: all or nothing. @throws as `create` */
  setAll(inputs: readonly DatedInput[]): Promise<readonly SecretMetadata[]>;
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

/** An input that comes from elsewhere with times of its own. */
export interface DatedInput extends SecretInput {
  /** Kept where the secret is new. Default: now. */
  readonly createdAt?: Timestamp | null | undefined;
  /** Default: now. */
  readonly updatedAt?: Timestamp | null | undefined;
}

interface SealedWrite {
  readonly write: SecretWrite;
  readonly header: string | null;
}

/** What an input says once it is checked; only id and version are still open. */
interface ValidInput extends Omit<DatedInput, "name" | "expiresAt" | "fields"> {
  readonly name: SecretName;
  readonly fields: SecretFields;
  readonly expiresAt: Timestamp | null;
}

export function createSecretService(options: SecretServiceOptions): SecretService {
  const { store, encryption, now, newId } = options;

  /** Seals the next version after `current`; the store refuses it where `current` is no longer the current one. */
  async function sealNext(input: ValidInput, current: SecretMetadata | null): Promise<SealedWrite> {
    const time = now();
    const metadata: SecretMetadata = {
      id: current?.id ?? newId(),
      name: input.name,
      type: input.type,
      description: input.description === undefined ? (current?.description ?? null) : input.description,
      tags: input.tags ?? current?.tags ?? [],
      version: (current?.version ?? 0) + 1,
      createdAt: current?.createdAt ?? input.createdAt ?? time,
      updatedAt: input.updatedAt ?? time,
      expiresAt: input.expiresAt,
    };
    const plaintext = JSON.stringify(input.fields) as Plaintext;
    if (plaintext.length > MAX_SECRET_LENGTH) throw tooLarge(input.name);
    const { envelope, header } = await encryption.seal(metadata, plaintext);
    return { write: { secret: { metadata, envelope }, expectedVersion: current?.version ?? null }, header };
  }

  /** Writes all or nothing, again if the keys were changed by another process in between. */
  async function write(
    inputs: readonly ValidInput[],
    currents: readonly (SecretMetadata | null)[],
  ): Promise<SecretMetadata[]> {
    for (let attempt = 1; ; attempt++) {
      const sealed: SealedWrite[] = [];
      for (const [index, input] of inputs.entries()) sealed.push(await sealNext(input, currents[index] ?? null));
      const writes = sealed.map((one) => one.write);
      try {
        // The last header: where the keys changed on the way, the store refuses all, and all are sealed anew.
        await store.put(writes, sealed.at(-1)?.header ?? null);
        return writes.map(({ secret }) => secret.metadata);
      } catch (error) {
        if (!hasCode(error, "HEADER_CHANGED") || attempt === ATTEMPTS) throw error;
        await encryption.refresh();
      }
    }
  }

  /** Writes over whatever is there, again if somebody else was faster. */
  async function overwrite(
    inputs: readonly ValidInput[],
    check: (current: SecretMetadata | null) => void,
  ): Promise<SecretMetadata[]> {
    for (let attempt = 1; ; attempt++) {
      const currents = await Promise.all(inputs.map(async ({ name }) => await stored(name)));
      for (const current of currents) check(current);
      try {
        return await write(inputs, currents);
      } catch (error) {
        if (!isRace(error) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async function stored(name: SecretName): Promise<SecretMetadata | null> {
    return (await store.get(name))?.metadata ?? null;
  }

  const service: SecretService = {
    async create(input) {
      return only(await write([checkInput(input)], [null]));
    },

    async update(input, { ifVersion } = {}) {
      if ((await stored(parseSecretName(input.name))) === null) throw secretNotFound(input.name);
      return await service.set(input, { ifVersion });
    },

    async set(input, { ifVersion } = {}) {
      const valid = checkInput(input);
      return only(
        await overwrite([valid], (current) => {
          if (ifVersion !== undefined && ifVersion !== (current?.version ?? 0))
            throw conflict(valid.name, current, ifVersion);
        }),
      );
    },

    async setAll(inputs) {
      return await overwrite(inputs.map(checkInput), () => undefined);
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

function checkInput(input: DatedInput): ValidInput {
  const name = parseSecretName(input.name);
  const fields = parseFields(name, input.type, input.fields);
  const { type, description, tags, createdAt, updatedAt } = input;
  if (typeof description === "string") refuseBadText(name, "description", descriptionSchema.safeParse(description));
  for (const tag of tags ?? []) refuseBadText(name, `tag '${quoteText(tag)}'`, tagSchema.safeParse(tag));
  const unique = tags === undefined ? undefined : [...new Set(tags)];
  const expiresAt = readExpiry(name, input, fields);
  return { name, type, fields, description, tags: unique, expiresAt, createdAt, updatedAt };
}

/** An error of JSON.parse quotes what it has read: it must not get out. */
function parsePlaintext(name: string, plaintext: Plaintext): unknown {
  try {
    return JSON.parse(plaintext);
  } catch {
    throw integrityFailed(name);
  }
}

function refuseBadText(
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

function only([metadata]: readonly SecretMetadata[]): SecretMetadata {
  if (metadata === undefined) throw new TypeError("nothing was written");
  return metadata;
}

function isRace(error: unknown): boolean {
  return hasCode(error, "VERSION_CONFLICT") || hasCode(error, "SECRET_EXISTS");
}

function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof AutokestraError && error.code === code;
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
