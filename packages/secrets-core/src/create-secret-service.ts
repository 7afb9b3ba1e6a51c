import { checkInput } from "./check-input.ts";
import { AutokestraError, integrityFailed, secretDeleted, secretNotFound, versionNotFound } from "./errors.ts";
import type { SealedSecret, Secret, SecretMetadata } from "./secret.ts";
import type { Plaintext } from "./secret-encryption.ts";
import { parseSecretName, type SecretName } from "./secret-name.ts";
import { RESTORABLE_DAYS, type SecretService, type SecretServiceOptions } from "./secret-service.ts";
import { parseFields } from "./secret-type.ts";
import { createSecretWriter } from "./secret-writer.ts";
import { daysAfter } from "./time.ts";

export function createSecretService(options: SecretServiceOptions): SecretService {
  const { store, encryption, now } = options;
  const writer = createSecretWriter(options);

  /** A deleted secret that can no longer be restored. */
  function isOver({ deletedAt }: SecretMetadata): boolean {
    return deletedAt !== null && deletedAt < daysAfter(now(), -RESTORABLE_DAYS);
  }

  /** What has the name now, be it deleted. */
  async function find(name: SecretName): Promise<SealedSecret | null> {
    const sealed = await store.get(name);
    return sealed === null || isOver(sealed.metadata) ? null : sealed;
  }

  /** What has the name now, for a write: what is over is gone before it. */
  async function place(name: SecretName): Promise<SecretMetadata | null> {
    const { metadata } = (await store.get(name)) ?? { metadata: null };
    if (metadata === null || !isOver(metadata)) return metadata;
    await store.purge(name);
    return null;
  }

  async function findInUse(name: SecretName): Promise<SealedSecret> {
    const sealed = await find(name);
    if (sealed === null) throw secretNotFound(name);
    const { deletedAt } = sealed.metadata;
    if (deletedAt !== null) throw secretDeleted(name, daysAfter(deletedAt, RESTORABLE_DAYS));
    return sealed;
  }

  async function findVersion(name: SecretName, version: number): Promise<SealedSecret> {
    await findInUse(name);
    const history = await store.history(name);
    const sealed = history.find(({ metadata }) => metadata.version === version);
    if (sealed === undefined)
      throw versionNotFound(
        name,
        version,
        history.map(({ metadata }) => metadata.version),
      );
    return sealed;
  }

  async function open(name: SecretName, { metadata, envelope }: SealedSecret): Promise<Secret> {
    const plaintext = await encryption.open(metadata, envelope);
    return { metadata, fields: parseFields(name, metadata.type, parsePlaintext(name, plaintext)) };
  }

  const service: SecretService = {
    async create(input) {
      const valid = checkInput(input);
      if ((await place(valid.name)) !== null) await findInUse(valid.name);
      return only(await writer.write([valid], [null]));
    },

    async update(input, ifVersion) {
      await findInUse(parseSecretName(input.name));
      return await service.set(input, { ifVersion });
    },

    async set(input, { ifVersion } = {}) {
      return only(await service.setAll([{ ...input, ifVersion }]));
    },

    async setAll(inputs) {
      return await writer.overwrite(inputs.map(checkInput), place);
    },

    async get(text, { atVersion } = {}) {
      const name = parseSecretName(text);
      return await open(name, atVersion === undefined ? await findInUse(name) : await findVersion(name, atVersion));
    },

    async describe(name) {
      return (await find(parseSecretName(name)))?.metadata ?? null;
    },

    async versions(text) {
      const name = parseSecretName(text);
      await findInUse(name);
      return (await store.history(name)).map(({ metadata }) => metadata);
    },

    async rollback(text, toVersion) {
      const name = parseSecretName(text);
      const { version } = (await findInUse(name)).metadata;
      const { metadata, fields } = await open(name, await findVersion(name, toVersion));
      const { type, description, tags, expiresAt } = metadata;
      return await service.set({ name, type, fields, description, tags, expiresAt }, { ifVersion: version });
    },

    async list(filter) {
      return await store.list(filter);
    },

    async delete(text, { purge = false } = {}) {
      const name = parseSecretName(text);
      if (purge) {
        if (!(await store.purge(name))) throw secretNotFound(name);
        return;
      }
      await findInUse(name);
      const time = now();
      if (!(await store.delete(name, time))) throw secretNotFound(name);
      await store.purgeDeleted(daysAfter(time, -RESTORABLE_DAYS));
    },

    async restore(text) {
      const name = parseSecretName(text);
      const sealed = await find(name);
      if (sealed === null) throw secretNotFound(name);
      if (!(await store.restore(name))) throw inUse(name);
      return { ...sealed.metadata, deletedAt: null };
    },

    async close() {
      encryption.close();
      await store.close();
    },
  };
  return service;
}

/** An error of JSON.parse quotes what it has read: it must not get out. */
function parsePlaintext(name: string, plaintext: Plaintext): unknown {
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

function inUse(name: SecretName): AutokestraError {
  return new AutokestraError("SECRET_EXISTS", `Secret '${name}' is in use: there is nothing to restore`, {
    hint: `\`autokestra secrets versions ${name}\` shows its older versions.`,
  });
}
