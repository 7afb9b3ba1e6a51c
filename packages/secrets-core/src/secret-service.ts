import type { DatedInput } from "./check-input.ts";
import type { FieldSecrecy, FlagChange } from "./field-secrecy.ts";
import type { Secret, SecretInput, SecretMetadata } from "./secret.ts";
import type { SecretEncryption } from "./secret-encryption.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
import type { SecretFields } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** The largest secret: 16 MiB of its fields written as JSON. */
export const MAX_SECRET_LENGTH: number = 16 * 1024 * 1024;

/** How many days a deleted secret can be restored. */
export const RETENTION_DAYS = 30;

export interface SecretServiceOptions {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
  /** The time now. */
  readonly now: () => Timestamp;
  /** A new random UUID. */
  readonly newId: () => string;
  /** How many versions of a secret are kept, the current one included. Default: 10. */
  readonly maxVersions?: number | undefined;
  /**
   * Whether the person has named the key. Where nobody has, a key that was found and is another one counts as none for what needs
   * no key. Default: named.
   */
  readonly isKeyGiven?: (() => Promise<boolean>) | undefined;
}

/** What must be stored under the name for a change to be made. */
export interface IfStored {
  /** Only this secret: another one of the same name counts as not found. */
  readonly ifId?: string | undefined;
  /** Only in this revision. */
  readonly ifRevision?: number | undefined;
}

export interface WriteOptions extends IfStored {
  /** Write only if this is the stored version; 0 means "only if there is none". */
  readonly ifVersion?: number | undefined;
  /** Write only if what is stored, if anything is, has the type of the new value: for callers that have not been told to change it. */
  readonly keepType?: boolean | undefined;
}

export interface GetOptions {
  /** An older version. Default: the current one. */
  readonly atVersion?: number | undefined;
}

/** A change of metadata. What is undefined stays as it is. */
export interface SecretEdit extends FlagChange {
  /** Null removes it. */
  readonly description?: string | null | undefined;
  /** Tags to add. */
  readonly addTags?: readonly string[] | undefined;
  readonly removeTags?: readonly string[] | undefined;
  /** A moment, as `parseMoment` reads it; null removes it. */
  readonly expiresAt?: string | number | null | undefined;
  /** `publicFields` and `maskFields` are all there are, as with a new value, and not additions. Default: false. */
  readonly replacesFlags?: boolean | undefined;
}

export interface DeleteOptions {
  /** Remove everything of this name for good, including deleted secrets and all versions. Default: false. */
  readonly purge?: boolean | undefined;
  /**
   * Only this secret, living or deleted. Without `purge` it must be the living one of the name. Default: whatever has the name.
   */
  readonly id?: string | undefined;
}

export interface RestoreOptions {
  /** Which deleted secret of this name. Default: the one that was deleted last. */
  readonly id?: string | undefined;
}

/** Everything about a secret but its hidden values. */
export interface SecretDescription {
  readonly metadata: SecretMetadata;
  readonly fields: readonly FieldSecrecy[];
  /** The values of the public fields. */
  readonly publicFields: SecretFields;
  /** The versions that are kept, the newest first. */
  readonly versions: readonly SecretMetadata[];
}

/**
 * Secrets, by name: validate, encrypt, store, and back. All methods throw AutokestraError; besides the codes named there, those
 * of {@link SecretStore} and {@link SecretEncryption}. Whatever opens a value, or writes on the basis of what is stored, first
 * checks that the stored metadata are authentic (`INTEGRITY_FAILED`).
 */
export interface SecretService {
  /** Stores a new secret. A deleted one of the same name stays deleted. @throws `SECRET_EXISTS`, `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID` */
  create(input: SecretInput): Promise<SecretMetadata>;
  /**
   * Adds a version to a secret that has exactly the version that the caller knows: nobody's change is overwritten unseen.
   *
   * @throws `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_CONFLICT`, … as `create`
   */
  update(input: SecretInput, ifVersion: number): Promise<SecretMetadata>;
  /** Creates a secret or adds a version. @throws `VERSION_CONFLICT` with `ifVersion`, … as `create` */
  set(input: SecretInput, options?: WriteOptions): Promise<SecretMetadata>;
  /**
   * Adds a version whose single value is another one; all other fields stay, and what `more` does not say.
   *
   * @throws `VALUE_INVALID` where a secret of this type has no single value, … as `get` and `set`
   */
  setValue(
    name: string,
    value: string,
    more?: Omit<SecretInput, "name" | "type" | "fields">,
    options?: IfStored,
  ): Promise<SecretMetadata>;
  /** Creates or updates many: all or none. @throws as `set`; `VALUE_INVALID` where a name stands twice */
  setAll(inputs: readonly DatedInput[]): Promise<readonly SecretMetadata[]>;
  /** @throws `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_NOT_FOUND`, `INTEGRITY_FAILED` */
  get(name: string, options?: GetOptions): Promise<Secret>;
  /** Metadata of a secret that is not deleted, without a key; null where there is none. */
  find(name: string): Promise<SecretMetadata | null>;
  /** Opens a secret and tells all but its hidden values. @throws as `get` */
  describe(name: string): Promise<SecretDescription>;
  /** Metadata of the versions that are kept, the newest first, without a key. @throws `SECRET_NOT_FOUND`, `SECRET_DELETED` */
  versions(name: string): Promise<readonly SecretMetadata[]>;
  /**
   * Makes a new version of an older value. Name, type, description, tags, expiry and the secrecy of fields stay as they are today.
   *
   * @throws as `get` and `update`; `VALUE_INVALID` where the older value is of another type
   */
  rollback(name: string, toVersion: number, options?: IfStored): Promise<SecretMetadata>;
  /**
   * Changes metadata without a new version. Older versions keep their own.
   *
   * @throws `VERSION_CONFLICT` with `ifRevision`, `FIELD_NOT_FOUND`, `VALUE_INVALID`, … as `get`
   */
  edit(name: string, change: SecretEdit, options?: IfStored): Promise<SecretMetadata>;
  /** Gives a secret another name; id and versions stay. @throws `SECRET_EXISTS`, … as `get` */
  rename(from: string, to: string, options?: IfStored): Promise<SecretMetadata>;
  /**
   * Metadata of all secrets that pass the filter, without a key and so not yet authenticated. Deleted ones are listed only while
   * they can be restored.
   *
   * @throws `OPTION_INVALID`
   */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;
  /**
   * The same, authenticated, without secrets whose metadata are not authentic: for readers who may see a secret because of its name
   * or its tags.
   *
   * @throws `OPTION_INVALID`, `KEY_*`
   */
  listVerified(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;
  /** How many secrets pass the filter, on whatever page of the list they are. @throws `OPTION_INVALID` */
  count(filter?: SecretFilter): Promise<number>;
  /**
   * Deletes a secret, and removes for good what was deleted longer ago than {@link RETENTION_DAYS}. Works without a key, too; one that
   * the person has named must be the right one.
   *
   * @returns how many secrets: with `purge` also those of the name that were deleted before, and damaged ones
   * @throws `SECRET_NOT_FOUND`, `SECRET_DELETED`, `KEY_WRONG`
   */
  delete(name: string, options?: DeleteOptions): Promise<number>;
  /** Brings a deleted secret back. @throws `SECRET_NOT_FOUND`, `SECRET_EXISTS` where the name is taken, `INTEGRITY_FAILED` */
  restore(name: string, options?: RestoreOptions): Promise<SecretMetadata>;
  /** Closes the store and wipes the keys. */
  close(): Promise<void>;
}
