import type { DatedInput } from "./check-input.ts";
import type { FieldSecrecy, FlagChange } from "./field-secrecy.ts";
import type { Secret, SecretInput, SecretMetadata } from "./secret.ts";
import type { SecretEncryption } from "./secret-encryption.ts";
import type { AllowChange } from "./secret-policy.ts";
import type { SecretFilter, SecretStore } from "./secret-store.ts";
import type { SecretFields } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** The maximum length of a secret: 16 MiB, with its fields as JSON. */
export const MAX_SECRET_LENGTH: number = 16 * 1024 * 1024;

/** The number of days in which a deleted secret can be restored. */
export const RETENTION_DAYS = 30;

export interface SecretServiceOptions {
  readonly store: SecretStore;
  readonly encryption: SecretEncryption;
  /** Returns the current time. */
  readonly now: () => Timestamp;
  /** Returns a new random UUID. */
  readonly newId: () => string;
  /** The maximum number of versions of a secret, including the current one. Default: 10. */
  readonly maxVersions?: number | undefined;
  /**
   * Tells whether the person has named the key. `delete` needs no key: it fails with a wrong key only if that was
   * named. Default: it was named.
   */
  readonly isKeyGiven?: (() => Promise<boolean>) | undefined;
}

/** What must be stored under the name for a change to be made. */
export interface IfStored {
  /** Change only this secret: another one with the same name counts as not found. Default: any. */
  readonly ifId?: string | undefined;
  /** Change only if the stored secret has this revision. Default: always. */
  readonly ifRevision?: number | undefined;
}

export interface WriteOptions extends IfStored {
  /** Write only if the stored secret has this version; 0: only if the name does not exist. Default: always write. */
  readonly ifVersion?: number | undefined;
  /** Do not change the type of a stored secret: fail instead. Default: false. */
  readonly keepType?: boolean | undefined;
}

export interface GetOptions {
  /** The version to read. Default: the current one. */
  readonly atVersion?: number | undefined;
  /** The names of the fields that the caller hands on: for what records reads. Default: all. All are in the answer. */
  readonly fields?: readonly string[] | undefined;
}

/** A change of metadata. A field that is undefined stays as it is. */
export interface SecretEdit extends FlagChange {
  /** Null removes it. */
  readonly description?: string | null | undefined;
  /** Tags to add. */
  readonly addTags?: readonly string[] | undefined;
  readonly removeTags?: readonly string[] | undefined;
  /** The new expiry as people write it: `2027-01-31`, `90d`. Null removes it. */
  readonly expiresAt?: string | number | null | undefined;
  /** Who may use it; null: everybody. */
  readonly allow?: AllowChange | null | undefined;
  /** Replace the flags of all fields by `publicFields` and `maskFields`, as for a new value. Default: false, add them. */
  readonly replacesFlags?: boolean | undefined;
}

/** What changes with the name of a secret. What is undefined stays as it is. */
export interface SecretChange extends Omit<SecretEdit, "addTags" | "removeTags" | "replacesFlags"> {
  /** A new single value: adds a version. */
  readonly value?: string | undefined;
  /** New fields, instead of `value`. */
  readonly fields?: SecretInput["fields"] | undefined;
  /** All tags that it has then. */
  readonly tags?: readonly string[] | undefined;
  /** See `SecretInput`. */
  readonly allowEmpty?: boolean | undefined;
}

export interface DeleteOptions {
  /** Remove everything with this name for good, including deleted secrets and all versions. Default: false. */
  readonly purge?: boolean | undefined;
  /**
   * Only this secret, living or deleted. Without `purge` it must be the living one of the name. Default: whatever has the name.
   */
  readonly id?: string | undefined;
  /** Only if the living secret has this revision. Default: always. `purge` ignores it. */
  readonly ifRevision?: number | undefined;
}

export interface RestoreOptions {
  /** The id of the deleted secret. Default: the last deleted one of the name. */
  readonly id?: string | undefined;
}

/** Everything about a secret except its hidden values. */
export interface SecretDescription {
  readonly metadata: SecretMetadata;
  readonly fields: readonly FieldSecrecy[];
  /** The values of the public fields. */
  readonly publicFields: SecretFields;
  /** The versions that are kept, the newest first. */
  readonly versions: readonly SecretMetadata[];
}

/** The secrets of a list whose metadata are authentic. */
export interface VerifiedList {
  readonly secrets: readonly SecretMetadata[];
  /** How many were listed, authentic or not. */
  readonly listed: number;
  /** The last one that was listed, authentic or not: the next page starts after it. */
  readonly last: SecretMetadata | null;
}

/**
 * Reads and writes secrets by name. `openSecrets` of `@autokestra/secrets` opens one as the command line does;
 * `createSecretService` creates one from a store and an encryption.
 *
 * The methods throw AutokestraError with the codes named below, and with those of {@link SecretStore} and
 * {@link SecretEncryption}. A method that decrypts a value, or changes a stored secret, first verifies the metadata
 * (`INTEGRITY_FAILED`).
 */
export interface SecretService {
  /**
   * Stores a new secret. A deleted one of the same name stays deleted.
   *
   * @throws AutokestraError `SECRET_EXISTS`, `NAME_INVALID`, `VALUE_EMPTY`, `VALUE_INVALID`
   */
  create(input: SecretInput): Promise<SecretMetadata>;
  /**
   * Adds a version to a secret that still has the version that the caller has read, so that no change is lost.
   *
   * @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_CONFLICT`, … as `create`
   */
  update(input: SecretInput, ifVersion: number): Promise<SecretMetadata>;
  /**
   * Creates a secret, or adds a version to it. Another `allow` is stored for all versions in the same transaction.
   *
   * @throws AutokestraError `VERSION_CONFLICT` with `options`, … as `create`
   */
  set(input: SecretInput, options?: WriteOptions): Promise<SecretMetadata>;
  /**
   * Adds a version with another single value. It keeps all other fields, and everything that `more` does not give.
   *
   * @throws AutokestraError `VALUE_INVALID` if a secret of this type has no single value, … as `get` and `set`
   */
  setValue(
    name: string,
    value: string,
    more?: Omit<SecretInput, "name" | "type" | "fields">,
    options?: IfStored,
  ): Promise<SecretMetadata>;
  /**
   * Creates or updates all secrets or none.
   *
   * @throws as `set`; `VALUE_INVALID` if a name is given twice, or if `allow` changes the rules of a stored secret among others
   */
  setAll(inputs: readonly DatedInput[]): Promise<readonly SecretMetadata[]>;
  /**
   * Returns a secret with its values.
   *
   * @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_NOT_FOUND`, `INTEGRITY_FAILED`
   */
  get(name: string, options?: GetOptions): Promise<Secret>;
  /** Returns the metadata of a secret, without a key and so not verified; null if it is not found or deleted. */
  find(name: string): Promise<SecretMetadata | null>;
  /** Decrypts a secret and returns everything except its hidden values. @throws as `get` */
  describe(name: string): Promise<SecretDescription>;
  /**
   * Returns the metadata of all versions that are kept, the newest first, without a key and so not verified.
   *
   * @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED`
   */
  versions(name: string): Promise<readonly SecretMetadata[]>;
  /**
   * Adds a version with the value of an older one. Name, type, description, tags, expiry and which fields are public or
   * masked stay as they are now.
   *
   * @throws as `get` and `update`; `VALUE_INVALID` if the older version has another type
   */
  rollback(name: string, toVersion: number, options?: IfStored): Promise<SecretMetadata>;
  /**
   * Changes metadata without adding a version. Older versions keep their metadata, except for who may use the secret.
   *
   * @throws AutokestraError `VERSION_CONFLICT` with `ifRevision`, `FIELD_NOT_FOUND`, `VALUE_INVALID`, … as `get`
   */
  edit(name: string, change: SecretEdit, options?: IfStored): Promise<SecretMetadata>;
  /**
   * Gives a secret another name and keeps its id and versions. What else is to change, changes in the same step.
   *
   * @throws AutokestraError `SECRET_EXISTS`, … as `get`; with `change` as `setValue` and `edit`
   */
  rename(from: string, to: string, options?: IfStored, change?: SecretChange): Promise<SecretMetadata>;
  /**
   * Returns the metadata of all secrets that pass the filter, without a key and so not verified. Lists deleted secrets
   * only while they can be restored.
   *
   * @throws AutokestraError `OPTION_INVALID`
   */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;
  /**
   * Lists secrets as `list` does, verified, and leaves out those whose metadata is not authentic: for readers who may see
   * a secret because of its name or its tags.
   *
   * @throws AutokestraError `OPTION_INVALID`, `KEY_*`
   */
  listVerified(filter?: SecretFilter): Promise<VerifiedList>;
  /** Returns the number of secrets that pass the filter, on all pages of a list. @throws AutokestraError `OPTION_INVALID` */
  count(filter?: SecretFilter): Promise<number>;
  /**
   * Deletes a secret, and purges all secrets that were deleted more than {@link RETENTION_DAYS} days ago. It needs no
   * key, but a key that the person has named must be the right one.
   *
   * @returns the number of secrets; with `purge` it includes earlier deleted ones of the name, and damaged ones
   * @throws AutokestraError `SECRET_NOT_FOUND`, `SECRET_DELETED`, `VERSION_CONFLICT` with `ifRevision`, `KEY_WRONG`
   */
  delete(name: string, options?: DeleteOptions): Promise<number>;
  /**
   * Restores a deleted secret.
   *
   * @throws AutokestraError `SECRET_NOT_FOUND`; `SECRET_EXISTS` if the name is taken; `INTEGRITY_FAILED`
   */
  restore(name: string, options?: RestoreOptions): Promise<SecretMetadata>;
  /** Closes the store and overwrites the keys. */
  close(): Promise<void>;
}
