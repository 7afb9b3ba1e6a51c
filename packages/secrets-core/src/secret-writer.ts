import type { ValidInput } from "./check-input.ts";
import { AutokestraError, hasCode } from "./errors.ts";
import { changeFlags, formatPayload, NO_FLAGS } from "./field-secrecy.ts";
import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { UnencryptedSecret } from "./secret-encryption.ts";
import type { SecretName } from "./secret-name.ts";
import { changePolicy } from "./secret-policy.ts";
import type { DecryptedSecret } from "./secret-reader.ts";
import { MAX_SECRET_LENGTH, type SecretServiceOptions } from "./secret-service.ts";
import type { ExpectedSecret } from "./secret-store.ts";

/** The maximum number of attempts of a write that conflicts with other processes. */
const ATTEMPTS = 1000;

/** One version to write, and the secret that it follows. */
interface NextVersion extends UnencryptedSecret {
  readonly expected: ExpectedSecret | null;
}

/** Adds versions to secrets, to all or none, also while other processes write. */
export class SecretWriter {
  readonly #options: SecretServiceOptions;

  constructor(options: SecretServiceOptions) {
    this.#options = options;
  }

  /** Returns the version that an input makes of the stored one. The store refuses it if that is no longer the current version. */
  next(input: ValidInput, decrypted: DecryptedSecret | null): NextVersion {
    const { now, newId } = this.#options;
    const current = decrypted?.current.metadata ?? null;
    const time = now();
    const kept = input.keepExpiry && input.expiresAt === null ? (current?.expiresAt ?? null) : null;
    const metadata: SecretMetadata = {
      id: current?.id ?? newId(),
      name: input.name,
      type: input.type,
      description: input.description === undefined ? (current?.description ?? null) : input.description,
      tags: input.tags ?? current?.tags ?? [],
      version: (current?.version ?? 0) + 1,
      revision: (current?.revision ?? 0) + 1,
      createdAt: current?.createdAt ?? input.createdAt ?? time,
      updatedAt: input.updatedAt ?? time,
      expiresAt: input.expiresAt ?? kept,
      deletedAt: null,
      importedId: current === null ? (input.importedId ?? null) : current.importedId,
      // Another one for a stored secret is for all its versions.
      policy: current === null ? changePolicy(input.name, null, input.allow ?? null) : current.policy,
    };
    const plaintext = formatPayload({ fields: input.fields, flags: nextFlags(input, decrypted) });
    if (plaintext.length > MAX_SECRET_LENGTH) throw tooLarge(input.name);
    const expected = current === null ? null : { id: current.id, revision: current.revision };
    return { metadata, plaintext, expected };
  }

  /** Adds a version after each of `currents`. @throws AutokestraError `SECRET_EXISTS`, `VERSION_CONFLICT`, … */
  async write(inputs: readonly ValidInput[], currents: readonly (DecryptedSecret | null)[]): Promise<SecretMetadata[]> {
    if (inputs.length === 0) return [];
    const { store, encryption, maxVersions } = this.#options;
    const next = inputs.map((input, index) => this.next(input, currents[index] ?? null));
    return await retryWhileKeysChange(encryption, async () => {
      const { secrets, header } = await encryption.encrypt(next);
      const writes = secrets.map((secret, index) => ({ secret, expected: next[index]?.expected ?? null }));
      await store.put(writes, header, { maxVersions });
      return secrets.map(({ metadata }) => metadata);
    });
  }
}

/** Repeats an attempt that failed because another process has changed the keys. */
export async function retryWhileKeysChange<T>(
  encryption: SecretServiceOptions["encryption"],
  attempt: () => Promise<T>,
): Promise<T> {
  for (let count = 1; ; count++) {
    try {
      return await attempt();
    } catch (error) {
      if (!hasCode(error, "HEADER_CHANGED") || count === ATTEMPTS) throw error;
      await encryption.refresh();
    }
  }
}

/**
 * Prepares a change and makes it. Repeats both after a conflict with another process.
 *
 * @param prepare reads what is stored; its errors are not retried
 */
export async function retryWhileOthersWrite<T>(prepare: () => Promise<() => Promise<T>>): Promise<T> {
  for (let count = 1; ; count++) {
    const change = await prepare();
    try {
      return await change();
    } catch (error) {
      if (!hasCode(error, "VERSION_CONFLICT", "SECRET_EXISTS") || count === ATTEMPTS) throw error;
    }
  }
}

/** A new value of the same type keeps the flags. Lists that are given replace them. */
function nextFlags(
  { name, type, fields, publicFields, maskFields }: ValidInput,
  decrypted: DecryptedSecret | null,
): FieldFlags {
  const kept = decrypted?.current.metadata.type === type ? decrypted.flags : NO_FLAGS;
  const flags = {
    public: publicFields === undefined ? kept.public : [],
    masked: maskFields === undefined ? kept.masked : [],
  };
  return changeFlags(name, type, fields, flags, { publicFields, maskFields });
}

function tooLarge(name: SecretName): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}' is larger than 16 MiB`, {
    hint: "Store large files elsewhere, encrypted with a key that is kept here.",
  });
}
