import { checkExpiry, checkInput, checkTexts, expiryInFields, type ValidInput } from "./check-input.ts";
import { checkStored } from "./check-stored.ts";
import { AutokestraError, hasCode, quoteText, secretNotFound } from "./errors.ts";
import { changeFlags, formatPayload } from "./field-secrecy.ts";
import type { EncryptedSecret, FieldFlags, SecretMetadata } from "./secret.ts";
import type { UnencryptedSecret } from "./secret-encryption.ts";
import type { SecretName } from "./secret-name.ts";
import { changePolicy } from "./secret-policy.ts";
import type { DecryptedSecret, SecretReader } from "./secret-reader.ts";
import type { IfStored, SecretChange, SecretEdit, SecretServiceOptions } from "./secret-service.ts";
import { fieldsOfValue, type SecretFields } from "./secret-type.ts";
import { retryWhileKeysChange, retryWhileOthersWrite, type SecretWriter } from "./secret-writer.ts";
import type { Timestamp } from "./time.ts";

/** Changes all versions of secrets in place, with a version that follows them where there is a new value. The revision grows by one. */
export class SecretChanges {
  readonly #options: SecretServiceOptions;
  readonly #reader: SecretReader;
  readonly #writer: SecretWriter;

  constructor(options: SecretServiceOptions, reader: SecretReader, writer: SecretWriter) {
    this.#options = options;
    this.#reader = reader;
    this.#writer = writer;
  }

  /**
   * Adds a version, and stores for all of them who may use the secret.
   *
   * @param current what was read of it
   * @throws AutokestraError `VERSION_CONFLICT` if it has changed meanwhile
   */
  async set(input: ValidInput, { current: { metadata } }: DecryptedSecret): Promise<SecretMetadata> {
    const { name, id, revision } = metadata;
    const decrypted = await this.#reader.decryptAll(name).catch((error: unknown) => {
      throw hasCode(error, "SECRET_NOT_FOUND", "SECRET_DELETED") ? changedMeanwhile(name) : error;
    });
    const policy = policyAfter(metadata, input);
    const versions = decrypted.map((one) => withPolicy(one, policy));
    const [first] = versions;
    if (first?.metadata.id !== id || first.metadata.revision !== revision) throw changedMeanwhile(name);
    return await this.#replace(decrypted, versions.map(nextRevision), this.#writer.next(input, first));
  }

  async edit(name: SecretName, change: SecretEdit, expected: IfStored): Promise<SecretMetadata> {
    return await retryWhileOthersWrite(async () => {
      // All versions are bound to the policy, which is stored once.
      const read =
        change.allow === undefined ? [await this.#reader.decrypt(name)] : await this.#reader.decryptAll(name);
      const [decrypted, ...older] = read;
      if (decrypted === undefined) throw secretNotFound(name);
      checkStored(decrypted.metadata, expected);
      const next = editSecret(decrypted, change, this.#options.now());
      if (next.metadata.policy === decrypted.metadata.policy)
        return async () => await this.#replace([decrypted], [next], null);
      const versions = [next, ...older.map((one) => underPolicyOf(next.metadata, one))];
      return async () => await this.#replace(read, versions, null);
    });
  }

  async rename(from: SecretName, to: SecretName, expected: IfStored, change: SecretChange): Promise<SecretMetadata> {
    return await retryWhileOthersWrite(async () => {
      const decrypted = await this.#reader.decryptAll(from);
      for (const { metadata } of decrypted.slice(0, 1)) checkStored(metadata, expected);
      await this.#checkFree(to);
      // All versions are bound to the policy, as to the name.
      const policy = decrypted[0] && policyAfter(decrypted[0].metadata, change);
      const [current, ...older] = policy === undefined ? [] : decrypted.map((one) => withPolicy(one, policy));
      if (current === undefined) throw secretNotFound(from);
      const added = this.#newVersion(current, to, change);
      const isEdited = added === null && Object.keys(change).length > 0;
      const first = isEdited
        ? editSecret(current, toEdit(current.metadata, change), this.#options.now())
        : nextRevision(current);
      const renamed = [first, ...older.map(nextRevision)].map(({ metadata, plaintext }) => ({
        metadata: { ...metadata, name: to },
        plaintext,
      }));
      return async () => await this.#replace(decrypted, renamed, added);
    });
  }

  async delete(name: SecretName, expected: IfStored): Promise<void> {
    const { store, now } = this.#options;
    // First, because an error after the deletion would say that nothing was deleted.
    await store.purgeDeleted(this.#reader.retentionStart());
    await retryWhileOthersWrite(async () => {
      const current = await this.#reader.current(name);
      checkStored(current.metadata, expected);
      return async () => {
        if (await this.#markDeleted(current)) return;
        if (!(await store.delete(current.metadata.id, now()))) throw changedMeanwhile(name);
      };
    });
  }

  async restore(name: SecretName, id: string | undefined): Promise<SecretMetadata> {
    return await retryWhileOthersWrite(async () => {
      const deleted = await this.#reader.deleted(name);
      const wanted = id === undefined ? deleted[0] : deleted.find((one) => one.id === id);
      if (wanted === undefined && id !== undefined) throw secretNotFound(name);
      await this.#checkFree(name);
      const current = wanted === undefined ? null : await this.#reader.find(wanted.id);
      if (current === null) throw secretNotFound(name);
      return async () => await this.#mark(current, null);
    });
  }

  /**
   * Encrypts versions of one secret again, the current one first, and replaces those that were decrypted.
   *
   * @param added a version that follows them; null for none
   */
  async #replace(
    decrypted: readonly DecryptedSecret[],
    replacements: readonly UnencryptedSecret[],
    added: UnencryptedSecret | null,
  ): Promise<SecretMetadata> {
    const { store, encryption, maxVersions } = this.#options;
    const nonces = decrypted.map(({ encrypted }) => encrypted.envelope.nonce);
    const revision = decrypted[0]?.current.metadata.revision ?? 0;
    return await retryWhileKeysChange(encryption, async () => {
      const { secrets, header } = await encryption.encrypt([...replacements, ...(added === null ? [] : [added])]);
      const [versions, next] = [secrets.slice(0, replacements.length), secrets[replacements.length]];
      await store.rewrite({ versions, nonces, revision, next }, header, { maxVersions });
      return currentOf(next === undefined ? versions : [next]);
    });
  }

  /** Marks a whole secret as deleted, or as not deleted. No value is bound to this mark, so none is encrypted again. */
  async #mark({ metadata, envelope, mac }: EncryptedSecret, deletedAt: Timestamp | null): Promise<SecretMetadata> {
    const { store, encryption } = this.#options;
    const { revision } = metadata;
    const marked = { metadata: { ...metadata, deletedAt, revision: revision + 1 }, envelope, mac };
    return await retryWhileKeysChange(encryption, async () => {
      const { secrets, header } = await encryption.authenticate([marked]);
      await store.rewrite({ versions: secrets, nonces: [envelope.nonce], revision }, header);
      return currentOf(secrets);
    });
  }

  /** @returns false if there is no key, or if the metadata are not authentic: those must not get a valid mac */
  async #markDeleted(current: EncryptedSecret): Promise<boolean> {
    const { encryption, now, isKeyGiven = async () => await Promise.resolve(true) } = this.#options;
    try {
      await encryption.verify(current);
      await this.#mark(current, now());
      return true;
    } catch (error) {
      if (hasCode(error, "KEY_MISSING", "INTEGRITY_FAILED")) return false;
      if (hasCode(error, "KEY_WRONG") && !(await isKeyGiven())) return false;
      throw error;
    }
  }

  /** The version with the value of a change, under its new name; null if the change has no value. */
  #newVersion(current: DecryptedSecret, name: SecretName, change: SecretChange): UnencryptedSecret | null {
    const { value, fields, ...more } = change;
    if (value === undefined && fields === undefined) return null;
    const { type } = current.metadata;
    const given = fields ?? fieldsOfValue(name, type, value ?? "", current.fields);
    const keepExpiry = change.expiresAt === undefined;
    const input = checkInput({ ...more, keepExpiry, name, type, fields: given }, this.#options.now);
    return this.#writer.next(input, current);
  }

  async #checkFree(name: SecretName): Promise<void> {
    const taken = await this.#options.store.get(name);
    if (taken !== null) throw nameTaken(taken.metadata);
  }
}

function nextRevision({ metadata, fields, flags }: DecryptedSecret): UnencryptedSecret {
  return {
    metadata: { ...metadata, revision: metadata.revision + 1 },
    plaintext: formatPayload({ fields, flags }),
  };
}

/** What a change without a value is for `edit`. */
function toEdit({ tags: before }: SecretMetadata, change: SecretChange): SecretEdit {
  const { value: _, fields: __, allowEmpty: ___, tags, ...edit } = change;
  const whole = { ...edit, replacesFlags: true };
  return tags === undefined ? whole : { ...whole, addTags: tags, removeTags: before };
}

/**
 * Returns the current version with its metadata changed.
 *
 * @throws AutokestraError `VALUE_INVALID`, `FIELD_NOT_FOUND`
 */
function editSecret(
  { metadata, fields, flags }: DecryptedSecret,
  change: SecretEdit,
  now: Timestamp,
): UnencryptedSecret {
  const { name, type } = metadata;
  const { description = metadata.description, addTags = [], removeTags = [] } = change;
  checkTexts(name, { description, tags: addTags });
  const kept = metadata.tags.filter((tag) => !removeTags.includes(tag));
  const expiresAt = change.expiresAt === undefined ? metadata.expiresAt : readExpiry(name, change.expiresAt, () => now);
  const policy = policyAfter(metadata, change);
  const edited = {
    ...metadata,
    description,
    tags: [...new Set([...kept, ...addTags])],
    expiresAt,
    policy,
    updatedAt: now,
    revision: metadata.revision + 1,
  };
  const payload = {
    fields: withExpiry(type, fields, expiresAt),
    flags: changeFlags(name, type, fields, keptFlags(flags, change), change),
  };
  return { metadata: edited, plaintext: formatPayload(payload) };
}

/** Returns an older version, to be bound to the policy of the current one. */
function underPolicyOf(
  { policy, revision }: SecretMetadata,
  { metadata, fields, flags }: DecryptedSecret,
): UnencryptedSecret {
  return { metadata: { ...metadata, policy, revision }, plaintext: formatPayload({ fields, flags }) };
}

function policyAfter({ name, policy }: SecretMetadata, { allow }: Pick<SecretEdit, "allow">): string | null {
  return allow === undefined ? policy : changePolicy(name, policy, allow);
}

function withPolicy(decrypted: DecryptedSecret, policy: string | null): DecryptedSecret {
  const { metadata, current } = decrypted;
  return {
    ...decrypted,
    metadata: { ...metadata, policy },
    current: { ...current, metadata: { ...current.metadata, policy } },
  };
}

function keptFlags(flags: FieldFlags, { replacesFlags = false, publicFields, maskFields }: SecretEdit): FieldFlags {
  return {
    public: replacesFlags && publicFields !== undefined ? [] : flags.public,
    masked: replacesFlags && maskFields !== undefined ? [] : flags.masked,
  };
}

function readExpiry(name: SecretName, expiresAt: string | number | null, now: () => Timestamp): Timestamp | null {
  return expiresAt === null ? null : checkExpiry(name, expiresAt, now);
}

/** Returns the fields, in which an `expiresAt` agrees with the metadata. */
export function withExpiry(
  type: SecretMetadata["type"],
  fields: SecretFields,
  expiresAt: Timestamp | null,
): SecretFields {
  if (expiryInFields(type, fields) === null) return fields;
  const { expiresAt: _, ...rest } = fields;
  return expiresAt === null ? rest : { ...rest, expiresAt };
}

function currentOf([current]: readonly EncryptedSecret[]): SecretMetadata {
  if (current === undefined) throw new TypeError("nothing was written");
  return current.metadata;
}

/** The caller retries with what is stored now. */
function changedMeanwhile(name: SecretName): AutokestraError {
  return new AutokestraError("VERSION_CONFLICT", `Secret '${name}' was changed by someone else`);
}

function nameTaken({ name, id }: SecretMetadata): AutokestraError {
  return new AutokestraError("SECRET_EXISTS", `The name '${quoteText(name)}' is taken by the secret ${id}`, {
    hint: "Rename that secret, or use another name.",
  });
}
