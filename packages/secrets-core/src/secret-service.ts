import type { DatedInput } from "./check-input.ts";
import type { Secret, SecretInput, SecretMetadata } from "./secret.ts";
import type { SecretEncryption } from "./secret-encryption.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
import type { Timestamp } from "./time.ts";

/** The largest secret: 16 MiB of its fields written as JSON. */
export const MAX_SECRET_LENGTH: number = 16 * 1024 * 1024;

/** So long a deleted secret can be restored. */
export const RESTORABLE_DAYS = 30;

export interface SecretServiceOptions {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
  /** The time now. */
  readonly now: () => Timestamp;
  /** A new random UUID. */
  readonly newId: () => string;
  /** How many versions of a secret are kept, the current one among them; 10 unless told. */
  readonly keepVersions?: number | undefined;
}

export interface WriteOptions {
  /** Write only if this is the stored version; 0 means "only if there is none". */
  readonly ifVersion?: number | undefined;
}

export interface GetOptions {
  /** An older version; the current one unless told. */
  readonly atVersion?: number | undefined;
}

export interface DeleteOptions {
  /** Remove it with all its versions at once, also where it is deleted already. Default: it can be restored for 30 days. */
  readonly purge?: boolean | undefined;
}

/**
 * Secrets, by name: validate, seal, store, and back. All methods throw AutokestraError; besides the codes named there, those
 * of {@link SecretStore} and {@link SecretEncryption}.
 */
export interface SecretService {
  /** Stores a new secret. @throws `SECRET_EXISTS`, `SECRET_DELETED`, `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID` */
  create(input: SecretInput): Promise<SecretMetadata>;
  /**
   * Adds a version to a secret that has exactly the version that the caller knows: nobody's change is overwritten unseen.
   *
   * @throws `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_CONFLICT`, … as `create`
   */
  update(input: SecretInput, ifVersion: number): Promise<SecretMetadata>;
  /** Creates or updates; a deleted secret is in use again. @throws `VERSION_CONFLICT` with `ifVersion`, … as `create` */
  set(input: SecretInput, options?: WriteOptions): Promise<SecretMetadata>;
  /** Creates or updates many: all or nothing. @throws as `set`; `VALUE_INVALID` where a name stands twice */
  setAll(inputs: readonly DatedInput[]): Promise<readonly SecretMetadata[]>;
  /** @throws `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_NOT_FOUND`, `INTEGRITY_FAILED` */
  get(name: string, options?: GetOptions): Promise<Secret>;
  /** Metadata of one secret, without a key, be it deleted; null where there is none. */
  describe(name: string): Promise<SecretMetadata | null>;
  /** Metadata of the versions that are kept, the newest first, without a key. @throws `SECRET_NOT_FOUND`, `SECRET_DELETED` */
  versions(name: string): Promise<readonly SecretMetadata[]>;
  /** Makes an older version the newest: its value, type, description, tags and expiry. @throws as `get` and `update` */
  rollback(name: string, toVersion: number): Promise<SecretMetadata>;
  /** Metadata of all secrets that pass the filter, without a key. Of deleted ones only those that can be restored. @throws `USAGE` */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;
  /** Deletes, and removes for good what was deleted 30 days ago. @throws `SECRET_NOT_FOUND`, `SECRET_DELETED` */
  delete(name: string, options?: DeleteOptions): Promise<void>;
  /** Puts a deleted secret back into use. @throws `SECRET_NOT_FOUND`, `SECRET_EXISTS` where it is in use */
  restore(name: string): Promise<SecretMetadata>;
  /** Closes the store and wipes the keys. */
  close(): Promise<void>;
}
