import type { SealedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** Which secrets `list` returns; all conditions must hold. */
export interface SecretFilter {
  readonly type?: SecretType | undefined;
  /** Every one of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** What the name begins with. */
  readonly prefix?: string | undefined;
  /** Only those that expire before this moment. */
  readonly expiresBefore?: Timestamp | undefined;
  /** Those in use unless told. */
  readonly state?: "active" | "deleted" | "all" | undefined;
  /** Of the deleted ones only those that were deleted at this moment or later. */
  readonly deletedSince?: Timestamp | undefined;
  /** Only names behind this one: the last of the page before. */
  readonly after?: string | undefined;
  /** At most so many, a whole number from 0 on; all unless told. */
  readonly limit?: number | undefined;
}

/** A piece of all names in their order. */
export type NamePage = Pick<SecretFilter, "after" | "limit">;

/** One version to keep, and what must be there now. */
export interface SecretWrite {
  readonly secret: SealedSecret;
  /** Null: the name must be free. A number: the stored secret must have the same id and exactly this version. */
  readonly expectedVersion: number | null;
  /** The stored secret may be a deleted one, which is in use again then. False unless told. */
  readonly mayBeDeleted?: boolean | undefined;
}

/** How many versions of a secret are kept unless told. */
export const KEPT_VERSIONS = 10;

export interface PutOptions {
  /** The newest so many versions stay, the one that is written among them: 1 or more, {@link KEPT_VERSIONS} unless told. */
  readonly keepVersions?: number | undefined;
}

/**
 * Keeps sealed secrets with their older versions, and the store's header. A store never sees a plaintext or a key.
 *
 * Each method is a transaction: it does all or nothing, whatever other processes do at the same moment and wherever this one
 * is killed. What a promise has resolved is on the disk. Every method may throw an AutokestraError with `STORE_UNAVAILABLE`
 * (locked, no space, no permission, closed), `STORE_CORRUPT` (what is there is not what a store writes) or `STORE_TOO_NEW`
 * (written by a newer version). A store that cannot read never answers "absent".
 */
export interface SecretStore {
  /** `sqlite`, `file`, …: for messages. */
  readonly backend: string;

  /** The header: one text that the encryption writes and reads; null where none was written yet. */
  readHeader(): Promise<string | null>;

  /**
   * Replaces the header if it still is `expected` (null: there must be none).
   *
   * @returns false, and changes nothing, where the header is another one by now
   */
  writeHeader(header: string, expected: string | null): Promise<boolean>;

  /** The current version of the secret with exactly this name, be it deleted; null where there is none. */
  get(name: SecretName): Promise<SealedSecret | null>;

  /** All versions that are kept of the secret with exactly this name, be it deleted, the newest first; empty where there is none. */
  history(name: SecretName): Promise<readonly SealedSecret[]>;

  /**
   * Names of all secrets, deleted ones too, in their order (by UTF-16 unit: A before a). Looks at nothing else: a damaged record
   * hides no other.
   */
  names(page?: NamePage): Promise<readonly SecretName[]>;

  /** Metadata of current versions in the order of the names (by UTF-16 unit: A before a). Needs no key. */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;

  /**
   * Compare and set: adds a version to each of these secrets, or to none. Versions that are too many are gone for good. No name
   * stands twice in `writes`.
   *
   * @param header the header that the secrets were sealed under: it must still be the stored one (null: there must be none)
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not a sealed secret), `SECRET_EXISTS` (expected none, be it
   * deleted), `VERSION_CONFLICT` (gone, deleted, another id, or another version), `HEADER_CHANGED`; nothing is changed then
   */
  put(writes: readonly SecretWrite[], header: string | null, options?: PutOptions): Promise<void>;

  /**
   * Puts other envelopes in the place of those that these versions have; what is no longer there is passed over.
   *
   * @param header as with {@link SecretStore.put}
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `HEADER_CHANGED`; nothing is changed then
   */
  reseal(secrets: readonly SealedSecret[], header: string | null): Promise<void>;

  /** Hides a secret with all its versions, as deleted at this moment. @returns false where none of this name is in use */
  delete(name: SecretName, deletedAt: Timestamp): Promise<boolean>;

  /** Puts a deleted secret back into use. @returns false where none of this name is deleted */
  restore(name: SecretName): Promise<boolean>;

  /** Removes a secret with all its versions for good, deleted before or not. @returns false where there was none */
  purge(name: SecretName): Promise<boolean>;

  /** Removes for good what was deleted before this moment. @returns how many secrets these were */
  purgeDeleted(before: Timestamp): Promise<number>;

  /** Lets go of files and locks. Safe to call twice; every other method throws `STORE_UNAVAILABLE` afterwards. */
  close(): Promise<void>;
}

/** A store that is one file, which can be copied and replaced as a whole. */
export interface SecretStoreFile extends SecretStore {
  /**
   * Writes a consistent copy, still sealed, 0600, while others read and write.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` where there is something of this name already
   */
  backup(path: string): Promise<void>;

  /**
   * Fills a store that nobody else knows yet with whole secrets, each with its versions, the oldest first.
   *
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not of one secret, or not in order), `SECRET_EXISTS`
   */
  load(histories: readonly (readonly SealedSecret[])[]): Promise<void>;

  /**
   * Does `work` while no other process can write, with all that was written in this one file: it may be read through this store,
   * renamed and replaced. The store must be closed after it.
   *
   * @param work gets a last look: false where somebody could write all the same, as a process can be stopped for longer than its
   * lock lasts
   * @throws AutokestraError `STORE_UNAVAILABLE` where another process has it in use, be it idle; or what `work` throws
   */
  exclusively<T>(work: (isUnchanged: () => boolean) => Promise<T>): Promise<T>;
}
