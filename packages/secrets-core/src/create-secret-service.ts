import { checkInput, type ValidInput } from "./check-input.ts";
import { AutokestraError, integrityFailed, secretDeleted, secretNotFound, versionNotFound } from "./errors.ts";
import type { SealedSecret, Secret, SecretMetadata } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { RESTORABLE_DAYS, type SecretService, type SecretServiceOptions } from "./secret-service.ts";
import type { SecretFields } from "./secret-type.ts";
import { createSecretWriter } from "./secret-writer.ts";
import { daysAfter, isBefore, type Timestamp } from "./time.ts";

export function createSecretService(options: SecretServiceOptions): SecretService {
  const { store, encryption, now } = options;
  const writer = createSecretWriter(options);

  /** What was deleted before this moment can no longer be restored. */
  function deletedSince(): Timestamp {
    return daysAfter(now(), -RESTORABLE_DAYS);
  }

  function isOver({ deletedAt }: SecretMetadata): boolean {
    return deletedAt !== null && isBefore(deletedAt, deletedSince());
  }

  /** The secret, be it deleted; null where it can no longer be restored. */
  function restorable(sealed: SealedSecret | null): SealedSecret | null {
    return sealed === null || isOver(sealed.metadata) ? null : sealed;
  }

  /** @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED` */
  function inUse(name: SecretName, sealed: SealedSecret | null): SealedSecret {
    const found = restorable(sealed);
    if (found === null) throw secretNotFound(name);
    const { deletedAt } = found.metadata;
    if (deletedAt !== null) throw deletedUntil(name, deletedAt);
    return found;
  }

  /** What has the name now, for a write: what cannot be restored is gone before it. */
  async function findForWrite(name: SecretName): Promise<SecretMetadata | null> {
    const { metadata } = (await store.get(name)) ?? { metadata: null };
    if (metadata === null || !isOver(metadata)) return metadata;
    await store.purgeDeleted(deletedSince());
    return (await store.get(name))?.metadata ?? null;
  }

  async function historyInUse(name: SecretName): Promise<readonly SealedSecret[]> {
    const history = await store.history(name);
    inUse(name, history[0] ?? null);
    return history;
  }

  async function open(name: SecretName, { metadata, envelope }: SealedSecret): Promise<Secret> {
    const plaintext = await encryption.open(metadata, envelope);
    return { metadata, fields: parsePlaintext(name, plaintext) };
  }

  const service: SecretService = {
    async create(input) {
      const valid = checkInput(input);
      const current = await findForWrite(valid.name);
      if (current !== null && current.deletedAt !== null) throw deletedUntil(valid.name, current.deletedAt);
      return only(await writer.write([valid], [null]));
    },

    async update(input, ifVersion) {
      const name = parseSecretName(input.name);
      inUse(name, await store.get(name));
      return await service.set(input, { ifVersion });
    },

    async set(input, { ifVersion } = {}) {
      return only(await service.setAll([{ ...input, ifVersion }]));
    },

    async setAll(inputs) {
      return await writer.overwrite(checkNames(inputs.map(checkInput)), findForWrite);
    },

    async get(text, { atVersion } = {}) {
      const name = parseSecretName(text);
      if (atVersion !== undefined) return await open(name, pickVersion(name, await historyInUse(name), atVersion));
      return await open(name, inUse(name, await store.get(name)));
    },

    async describe(name) {
      return restorable(await store.get(parseSecretName(name)))?.metadata ?? null;
    },

    async versions(text) {
      const name = parseSecretName(text);
      return (await historyInUse(name)).map(({ metadata }) => metadata);
    },

    async rollback(text, toVersion) {
      const name = parseSecretName(text);
      const history = await historyInUse(name);
      const { metadata, fields } = await open(name, pickVersion(name, history, toVersion));
      const { type, description, tags, expiresAt } = metadata;
      const input = checkInput({ name, type, fields, description, tags, expiresAt });
      return only(await writer.write([input], [history[0]?.metadata ?? null]));
    },

    async list(filter = {}) {
      const { limit, state = "active" } = filter;
      if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 0)) {
        throw new AutokestraError("USAGE", "The limit of a list must be a whole number from 0 on");
      }
      return await store.list(state === "active" ? filter : { ...filter, deletedSince: deletedSince() });
    },

    async delete(text, { purge = false } = {}) {
      const name = parseSecretName(text);
      if (purge) {
        if (!(await store.purge(name))) throw secretNotFound(name);
        return;
      }
      inUse(name, await store.get(name));
      // First: once it is deleted, nothing may say that it is not.
      await store.purgeDeleted(deletedSince());
      if (!(await store.delete(name, now()))) throw secretNotFound(name);
    },

    async restore(text) {
      const name = parseSecretName(text);
      const sealed = restorable(await store.get(name));
      if (sealed === null) throw secretNotFound(name);
      if (!(await store.restore(name))) throw nothingToRestore(name);
      return { ...sealed.metadata, deletedAt: null };
    },

    async close() {
      encryption.close();
      await store.close();
    },
  };
  return service;
}

/**
 * What was sealed was checked before: whoever could change it could also have sealed anything. An error of JSON.parse quotes what
 * it has read: it must not get out.
 */
function parsePlaintext(name: string, plaintext: Plaintext): SecretFields {
  try {
    return JSON.parse(plaintext);
  } catch {
    throw integrityFailed(name);
  }
}

function only([metadata]: readonly SecretMetadata[]): SecretMetadata {
  if (metadata === undefined) throw new TypeError("nothing was written");
  return metadata;
}

function deletedUntil(name: SecretName, deletedAt: Timestamp): AutokestraError {
  return secretDeleted(name, daysAfter(deletedAt, RESTORABLE_DAYS));
}

function pickVersion(name: SecretName, history: readonly SealedSecret[], version: number): SealedSecret {
  const sealed = history.find(({ metadata }) => metadata.version === version);
  const versions = history.map(({ metadata }) => metadata.version);
  if (sealed === undefined) throw versionNotFound(name, version, versions);
  return sealed;
}

function checkNames(inputs: readonly ValidInput[]): readonly ValidInput[] {
  const seen = new Set<SecretName>();
  for (const { name } of inputs) {
    if (seen.has(name))
      throw new AutokestraError("VALUE_INVALID", `Secret '${name}' stands twice among what is to be written`);
    seen.add(name);
  }
  return inputs;
}

function nothingToRestore(name: SecretName): AutokestraError {
  return new AutokestraError("SECRET_EXISTS", `Secret '${name}' is in use: there is nothing to restore`, {
    hint: `\`autokestra secrets versions ${name}\` shows its older versions.`,
  });
}
