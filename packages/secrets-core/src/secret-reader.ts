import { type AutokestraError, hasCode, secretDeleted, secretNotFound, versionNotFound } from "./errors.ts";
import { parsePayload } from "./field-secrecy.ts";
import type { EncryptedSecret, Secret, SecretMetadata } from "./secret.ts";
import type { Plaintext, SecretEncryption } from "./secret-encryption.ts";
import type { SecretName } from "./secret-name.ts";
import { RETENTION_DAYS, type SecretServiceOptions } from "./secret-service.ts";
import type { SecretStore } from "./secret-store.ts";
import { daysAfter, type Timestamp } from "./time.ts";

/** The maximum number of reads of a secret that another process keeps encrypting again. */
const ATTEMPTS = 1000;

/** A decrypted version with its encrypted record. */
export interface DecryptedSecret extends Secret {
  readonly encrypted: EncryptedSecret;
  /** The current version of the same secret. */
  readonly current: EncryptedSecret;
}

/** Reads and authenticates secrets, also while another process encrypts them again. */
export class SecretReader {
  readonly #store: SecretStore;
  readonly #encryption: SecretEncryption;
  readonly #now: () => Timestamp;

  constructor({ store, encryption, now }: SecretServiceOptions) {
    this.#store = store;
    this.#encryption = encryption;
    this.#now = now;
  }

  /** Returns the start of the retention: a secret that was deleted before it can no longer be restored. */
  retentionStart(): Timestamp {
    return daysAfter(this.#now(), -RETENTION_DAYS);
  }

  /** Returns the current version, not yet verified. @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED` */
  async current(name: SecretName): Promise<EncryptedSecret> {
    const found = await this.#store.get(name);
    if (found === null) throw await this.#notFound(name);
    return found;
  }

  /** Returns all versions, the newest first, not yet verified. @throws as `current` */
  async versions(name: SecretName): Promise<readonly EncryptedSecret[]> {
    for (let attempt = 1; ; attempt++) {
      const { metadata } = await this.current(name);
      const versions = await this.#store.versions(metadata.id);
      const [newest] = versions;
      if (newest?.metadata.name === name && newest.metadata.deletedAt === null) return versions;
      // Renamed, deleted or purged between the two reads.
      if (attempt === ATTEMPTS) throw secretNotFound(name);
    }
  }

  /** Returns the deleted secrets of this name that can be restored, the last deleted one first. */
  async deleted(name: SecretName): Promise<readonly SecretMetadata[]> {
    const found = await this.#store.list({ state: "deleted", name, retentionStart: this.retentionStart() });
    return found.toSorted((a, b) => ((a.deletedAt ?? "") < (b.deletedAt ?? "") ? 1 : -1));
  }

  /** Decrypts one version. Default: the current one. @throws as `current`; `VERSION_NOT_FOUND`, `INTEGRITY_FAILED` */
  async decrypt(name: SecretName, version?: number): Promise<DecryptedSecret> {
    if (version === undefined) {
      const current = await this.decryptIfFound(name);
      if (current === null) throw await this.#notFound(name);
      return current;
    }
    const [decrypted] = await whileChanging(
      () => this.versions(name),
      (found) => this.#decryptVersions(found, () => [pickVersion(name, found, version)]),
    );
    if (decrypted === undefined) throw secretNotFound(name);
    return decrypted;
  }

  /** Decrypts the current version; null if the name does not exist. @throws AutokestraError `INTEGRITY_FAILED` */
  decryptIfFound(name: SecretName): Promise<DecryptedSecret | null> {
    return whileChanging(() => this.#store.get(name), this.#decryptCurrent);
  }

  /** Decrypts all versions, the newest first. @throws as `decrypt` */
  async decryptAll(name: SecretName): Promise<readonly DecryptedSecret[]> {
    return await whileChanging(
      () => this.versions(name),
      (found) => this.#decryptVersions(found, () => found),
    );
  }

  /**
   * Returns the verified current version of a secret, deleted or not; null if not found.
   *
   * @throws AutokestraError `INTEGRITY_FAILED`
   */
  async find(id: string): Promise<EncryptedSecret | null> {
    return await whileChanging(
      () => this.#store.find(id),
      async (found) => {
        if (found !== null) await this.#encryption.verify(found);
        return found;
      },
    );
  }

  /** Does as `find`, and also returns null if the secret is not authentic. */
  async findVerified(id: string): Promise<EncryptedSecret | null> {
    try {
      return await this.find(id);
    } catch (error) {
      if (hasCode(error, "INTEGRITY_FAILED")) return null;
      throw error;
    }
  }

  /** A field and not a method, because it is passed on with every read. */
  readonly #decryptCurrent = async (current: EncryptedSecret | null): Promise<DecryptedSecret | null> => {
    if (current === null) return null;
    await this.#encryption.verify(current);
    return toDecrypted(current, current, await this.#encryption.decrypt(current.metadata, current.envelope));
  };

  /** Decrypts the versions that `pick` returns, after the current one was verified. */
  async #decryptVersions(
    versions: readonly EncryptedSecret[],
    pick: () => readonly EncryptedSecret[],
  ): Promise<readonly DecryptedSecret[]> {
    const [current] = versions;
    if (current === undefined) return [];
    await this.#encryption.verify(current);
    const decrypted: DecryptedSecret[] = [];
    for (const version of pick()) {
      const plaintext = await this.#encryption.decrypt(version.metadata, version.envelope);
      decrypted.push(toDecrypted(version, current, plaintext));
    }
    return decrypted;
  }

  async #notFound(name: SecretName): Promise<AutokestraError> {
    const [last] = await this.deleted(name);
    if (last === undefined || last.deletedAt === null) return secretNotFound(name);
    return secretDeleted(name, daysAfter(last.deletedAt, RETENTION_DAYS));
  }
}

function toDecrypted(encrypted: EncryptedSecret, current: EncryptedSecret, plaintext: Plaintext): DecryptedSecret {
  const { metadata, envelope } = encrypted;
  const { fields, flags } = parsePayload(metadata.name, envelope.format, plaintext);
  return { metadata, fields, flags, encrypted, current };
}

/**
 * Reads and decrypts. If that fails and the record has changed in the meantime, tries again: a rotation destroys the
 * data key of a record that was read before it.
 */
async function whileChanging<Found extends EncryptedSecret | readonly EncryptedSecret[] | null, Decrypted>(
  read: () => Promise<Found>,
  decrypt: (found: Found) => Promise<Decrypted>,
): Promise<Decrypted> {
  let found = await read();
  for (let attempt = 1; ; attempt++) {
    try {
      return await decrypt(found);
    } catch (error) {
      if (!hasCode(error, "INTEGRITY_FAILED") || attempt === ATTEMPTS) throw error;
      const again = await read();
      if (stampsOf(found) === stampsOf(again)) throw error;
      found = again;
    }
  }
}

/** Returns a text that differs if two reads have found different records. */
function stampsOf(found: EncryptedSecret | readonly EncryptedSecret[] | null): string {
  return found === null ? "" : [found].flat().map(stampOf).join("\n");
}

function stampOf({ metadata, envelope, mac }: EncryptedSecret): string {
  return [metadata.id, metadata.version, metadata.revision, envelope.keyId, String(envelope.nonce), mac].join(" ");
}

function pickVersion(name: SecretName, all: readonly EncryptedSecret[], wanted: number): EncryptedSecret {
  const encrypted = all.find(({ metadata }) => metadata.version === wanted);
  if (encrypted !== undefined) return encrypted;
  const versions = all.map(({ metadata }) => metadata.version);
  throw versionNotFound(name, wanted, versions);
}
