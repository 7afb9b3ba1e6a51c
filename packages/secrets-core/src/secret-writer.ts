import type { ValidInput } from "./check-input.ts";
import { AutokestraError, hasCode } from "./errors.ts";
import type { SecretMetadata } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import type { SecretName } from "./secret-name.ts";
import { MAX_SECRET_LENGTH, type SecretServiceOptions } from "./secret-service.ts";
import type { SecretWrite } from "./secret-store.ts";

/** How often a write starts again because another process has written the same name, or changed the keys, in between. */
const ATTEMPTS = 1000;

/** Seals secrets and puts them into a store, against whoever writes at the same time. */
export interface SecretWriter {
  /** Writes the version after each of `currents`, all or nothing. @throws AutokestraError `SECRET_EXISTS`, `VERSION_CONFLICT`, … */
  write(inputs: readonly ValidInput[], currents: readonly (SecretMetadata | null)[]): Promise<SecretMetadata[]>;
  /**
   * Writes over what is there, again where somebody else was faster.
   *
   * @param read what has a name now
   * @throws AutokestraError `VERSION_CONFLICT` where an input says which version it expects
   */
  overwrite(
    inputs: readonly ValidInput[],
    read: (name: SecretName) => Promise<SecretMetadata | null>,
  ): Promise<SecretMetadata[]>;
}

interface SealedWrite {
  readonly write: SecretWrite;
  readonly header: string | null;
}

export function createSecretWriter(options: SecretServiceOptions): SecretWriter {
  const { store, encryption, now, newId, keepVersions } = options;

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
      deletedAt: null,
    };
    const plaintext = JSON.stringify(input.fields) as Plaintext;
    if (plaintext.length > MAX_SECRET_LENGTH) throw tooLarge(input.name);
    const { envelope, header } = await encryption.seal(metadata, plaintext);
    const expected = {
      expectedVersion: current?.version ?? null,
      mayBeDeleted: current !== null && current.deletedAt !== null,
    };
    return { write: { secret: { metadata, envelope }, ...expected }, header };
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
        await store.put(writes, sealed.at(-1)?.header ?? null, { keepVersions });
        return writes.map(({ secret }) => secret.metadata);
      } catch (error) {
        if (!hasCode(error, "HEADER_CHANGED") || attempt === ATTEMPTS) throw error;
        await encryption.refresh();
      }
    }
  }

  return {
    write,
    async overwrite(inputs, read) {
      for (let attempt = 1; ; attempt++) {
        const currents = await Promise.all(inputs.map(async ({ name }) => await read(name)));
        for (const [index, input] of inputs.entries()) checkVersion(input, currents[index] ?? null);
        try {
          return await write(inputs, currents);
        } catch (error) {
          if (!isRace(error) || attempt === ATTEMPTS) throw error;
        }
      }
    },
  };
}

function checkVersion({ name, ifVersion }: ValidInput, current: SecretMetadata | null): void {
  if (ifVersion === undefined) return;
  if (ifVersion === (current?.version ?? 0) && (current?.deletedAt ?? null) === null) return;
  const is = current === null ? "does not exist" : `has version ${current.version}`;
  const deleted = current !== null && current.deletedAt !== null ? " and is deleted" : "";
  const message = `Secret '${name}' ${is}${deleted}, not version ${ifVersion}; nothing was written`;
  throw new AutokestraError("VERSION_CONFLICT", message, {
    hint: "Read it again, then write with the version it has now; 0 is for a name that nothing has.",
  });
}

function isRace(error: unknown): boolean {
  return hasCode(error, "VERSION_CONFLICT", "SECRET_EXISTS");
}

function tooLarge(name: SecretName): AutokestraError {
  return new AutokestraError("VALUE_INVALID", `Secret '${name}' is larger than 16 MiB`, {
    hint: "Store large files elsewhere, sealed with a key that is kept here.",
  });
}
