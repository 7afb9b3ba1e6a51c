import type { ValidInput } from "./check-input.ts";
import { AutokestraError, hasCode, secretNotFound } from "./errors.ts";
import { changeFlags, formatPayload, NO_FLAGS } from "./field-secrecy.ts";
import type { FieldFlags, SecretMetadata } from "./secret.ts";
import type { UnencryptedSecret } from "./secret-encryption.ts";
import type { SecretName } from "./secret-name.ts";
import { changePolicy } from "./secret-policy.ts";
import { checkStored, type DecryptedSecret } from "./secret-reader.ts";
import { MAX_SECRET_LENGTH, type SecretServiceOptions } from "./secret-service.ts";
import type { ExpectedSecret } from "./secret-store.ts";

/** The maximum number of attempts of a write that conflicts with other processes. */
const ATTEMPTS = 1000;

/** One version to write, and the secret that it follows. */
interface NextVersion extends UnencryptedSecret {
  readonly expected: ExpectedSecret | null;
}

/** Adds versions to secrets, to all or none, also while other processes write. */
export interface SecretWriter {
  /** Returns the version that an input makes of the stored one. */
  next(input: ValidInput, decrypted: DecryptedSecret): UnencryptedSecret;
  /** Adds a version after each of `currents`. @throws AutokestraError `SECRET_EXISTS`, `VERSION_CONFLICT`, … */
  write(inputs: readonly ValidInput[], currents: readonly (DecryptedSecret | null)[]): Promise<SecretMetadata[]>;
  /**
   * Adds a version after the stored one, and tries again after a conflict.
   *
   * @param read returns the stored secret of a name
   * @param writeAfter writes each input after what was read for it
   * @throws AutokestraError `VERSION_CONFLICT` if an input expects another version or type
   */
  overwrite(
    inputs: readonly ValidInput[],
    read: (name: SecretName) => Promise<DecryptedSecret | null>,
    writeAfter: SecretWriter["write"],
  ): Promise<SecretMetadata[]>;
}

export function createSecretWriter(options: SecretServiceOptions): SecretWriter {
  const { store, encryption, now, newId, maxVersions } = options;

  /** Returns the version after `decrypted`. The store refuses it if that is no longer the current version. */
  function nextVersion(input: ValidInput, decrypted: DecryptedSecret | null): NextVersion {
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

  async function write(
    inputs: readonly ValidInput[],
    currents: readonly (DecryptedSecret | null)[],
  ): Promise<SecretMetadata[]> {
    if (inputs.length === 0) return [];
    const next = inputs.map((input, index) => nextVersion(input, currents[index] ?? null));
    return await retryWhileKeysChange(encryption, async () => {
      const { secrets, header } = await encryption.encrypt(next);
      const writes = secrets.map((secret, index) => ({ secret, expected: next[index]?.expected ?? null }));
      await store.put(writes, header, { maxVersions });
      return secrets.map(({ metadata }) => metadata);
    });
  }

  return {
    next: nextVersion,
    write,
    overwrite: (inputs, read, writeAfter) =>
      retryWhileOthersWrite(async () => {
        const found: (DecryptedSecret | null)[] = [];
        for (const input of inputs) {
          const stored = await read(input.name);
          checkExpected(input, stored?.current.metadata ?? null);
          found.push(stored);
        }
        return () => writeAfter(inputs, found);
      }),
  };
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

function checkExpected(input: ValidInput, current: SecretMetadata | null): void {
  const { name, type, ifVersion, keepType } = input;
  if (current !== null) checkStored(current, input);
  else if (input.ifId !== undefined) throw secretNotFound(name);
  if (ifVersion !== undefined && ifVersion !== (current?.version ?? 0)) {
    const is = current === null ? "does not exist" : `has version ${current.version}`;
    const message = `Secret '${name}' ${is}, not version ${ifVersion}; nothing was written`;
    throw new AutokestraError("VERSION_CONFLICT", message, {
      hint: "Read it again, then write with its current version, or with 0 if it does not exist.",
    });
  }
  if (keepType && current !== null && current.type !== type) {
    const message = `Secret '${name}' is of type ${current.type}, not ${type}; nothing was written`;
    throw new AutokestraError("VERSION_CONFLICT", message, {
      hint: "Someone else has changed its type. Give the fields of that type, or name the type to change it.",
    });
  }
}

function tooLarge(name: SecretName): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}' is larger than 16 MiB`, {
    hint: "Store large files elsewhere, encrypted with a key that is kept here.",
  });
}
