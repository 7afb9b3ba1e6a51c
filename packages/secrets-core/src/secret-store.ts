import { AutokestraError, type ErrorDetails } from "./errors.ts";
import type { EncryptedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** The secrets that `list` returns: those that meet all conditions. Default: all that are not deleted. */
export interface SecretFilter {
  readonly type?: SecretType | undefined;
  /** The secret must have all of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** The whole name. */
  readonly name?: string | undefined;
  /** The beginning of the name. */
  readonly prefix?: string | undefined;
  readonly id?: string | undefined;
  /** The number that the record had where it was imported from. */
  readonly importedId?: number | undefined;
  /** One of these is what the name begins with: for readers who may not see all secrets. An empty list lets none through. */
  readonly anyPrefix?: readonly string[] | undefined;
  /** At least one of these tags, for the same readers. An empty list lets none through. */
  readonly anyTag?: readonly string[] | undefined;
  /** Only those that expire before this moment. */
  readonly expiresBefore?: Timestamp | undefined;
  /** Default: `active`, those that are not deleted. */
  readonly state?: "active" | "deleted" | "all" | undefined;
  /** Leave out secrets that were deleted before this moment. Default: none. */
  readonly retentionStart?: Timestamp | undefined;
  /** Start after this name (the last one of the previous page). */
  readonly after?: string | undefined;
  /**
   * With `after`: include the secrets of that name whose id comes after this one. Default: include none of that name.
   */
  readonly afterId?: string | undefined;
  /** The number of results to leave out at the beginning, 0 or more. Default: 0. */
  readonly skip?: number | undefined;
  /** The maximum number of results, 0 or more. Default: no maximum. */
  readonly limit?: number | undefined;
}

/** A page of ids. */
export interface IdPage {
  /** Only secrets of this name, including deleted ones. Default: all secrets. */
  readonly name?: string | undefined;
  /** Start after this id (the last one of the previous page). */
  readonly after?: string | undefined;
  /** The maximum number of results. Default: no maximum. */
  readonly limit?: number | undefined;
}

/** The secret that must be stored for a change to be made. */
export interface ExpectedSecret {
  readonly id: string;
  readonly revision: number;
}

/** One version to add, and the secret that it follows. */
export interface SecretWrite {
  readonly secret: EncryptedSecret;
  /** The secret that must have the name now; null if the name must not exist. Deleted secrets do not count. */
  readonly expected: ExpectedSecret | null;
}

/** The default maximum number of versions of a secret. */
export const DEFAULT_MAX_VERSIONS = 10;

export interface PutOptions {
  /** The maximum number of versions, including the new one: 1 or more. Default: 10. */
  readonly maxVersions?: number | undefined;
}

/** A change of a whole secret in place. */
export interface SecretRewrite {
  /** The new versions, which replace those with the same version numbers. The first one is the current version. */
  readonly versions: readonly EncryptedSecret[];
  /**
   * The stored nonces of these versions, in the same order. A version that was encrypted again has a different nonce.
   */
  readonly nonces: readonly Uint8Array[];
  /** The stored revision of the secret. */
  readonly revision: number;
  /** A version that follows them in the same transaction, as the current one, under the same revision. Default: none. */
  readonly next?: EncryptedSecret | undefined;
}

/** A version that was encrypted again. */
export interface ReencryptedSecret {
  readonly secret: EncryptedSecret;
  /** The nonce that it had before. */
  readonly nonce: Uint8Array;
}

/** A fact that must never go back and changes too often for the header, such as the head of a log. */
export interface Anchor {
  readonly name: string;
  /** Never decreases. */
  readonly counter: number;
  readonly text: string;
  readonly mac: string;
}

/** How a store keeps its content: 1 if only version 1 of autokestra has written to it. */
export type StoreLayout = 1 | 2;

/**
 * Keeps encrypted secrets with their older versions, and the header of their keys. A store never sees a plaintext or a
 * key. Implement it to keep secrets elsewhere; `secretStoreContract` of `@autokestra/secrets-core/testing` tests an
 * implementation.
 *
 * At most one secret with a name is not deleted; deleted ones are found by id. Each method is a transaction: it changes
 * everything or nothing, also if other processes write at the same time or this one is killed. When its promise
 * resolves, the change is on the disk. Every method may throw an AutokestraError with `STORE_UNAVAILABLE` (locked, no
 * space, no permission, closed), `STORE_CORRUPT` (no store has written this) or `STORE_TOO_NEW` (a newer version has
 * written it). A store that cannot read never answers "not found".
 *
 * A store in layout 1 reads like one in layout 2 whose secrets have no mac and whose revisions are their versions. Of
 * the methods that write, it supports `upgrade`, `delete`, `purge` and `purgeDeleted`; the others throw
 * `STORE_UNAVAILABLE`.
 */
export interface SecretStore extends Partial<StoreAbilities> {
  /** The name of its driver in messages, such as `sqlite`. */
  readonly driver: string;

  /** Returns the layout of the stored content. Reading never changes it. */
  layout(): Promise<StoreLayout>;

  /**
   * Converts layout 1 to layout 2, with a new header and a mac for every secret. Keeps the old content beside it, as
   * `<file>.v1.backup` with mode 0600.
   *
   * @param expected the stored header; null if there must be none
   * @param authenticate returns the mac of a current version; synchronous, because it is called in the transaction
   * @returns false if the header has changed or the layout is 2 already; nothing is changed then
   */
  upgrade(header: string, expected: string | null, authenticate: (secret: EncryptedSecret) => string): Promise<boolean>;

  /** Returns the header, a text that the encryption writes and reads; null if none was written yet. */
  readHeader(): Promise<string | null>;

  /**
   * Replaces the header.
   *
   * @param expected the stored header; null if there must be none
   * @param unusedKeys ids of data keys that the new header no longer has: no version may be encrypted under them
   * @returns false if the header has changed; nothing is changed then
   * @throws AutokestraError `DATA_KEY_IN_USE`; nothing is changed then
   */
  writeHeader(header: string, expected: string | null, unusedKeys?: readonly string[]): Promise<boolean>;

  /** Returns the current version of the secret with this name that is not deleted; null if not found. */
  get(name: SecretName): Promise<EncryptedSecret | null>;

  /** Returns the current version of the secret with this id, also of a deleted one; null if not found. */
  find(id: string): Promise<EncryptedSecret | null>;

  /** Returns all versions of the secret with this id, also of a deleted one, the newest first; empty if not found. */
  versions(id: string): Promise<readonly EncryptedSecret[]>;

  /**
   * Returns the ids of all secrets, including deleted ones, ordered by UTF-16 code unit. Reads nothing else, so that a
   * damaged record does not hide the others.
   */
  ids(page?: IdPage): Promise<readonly string[]>;

  /** Returns the metadata of current versions, ordered by name, then by id, by UTF-16 code unit (`A` before `a`). */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;

  /** How many secrets pass the filter, on whatever page of a list they are. */
  count(filter?: SecretFilter): Promise<number>;

  /**
   * Adds a version to each of these secrets, or to none, if they are stored as expected (compare and set). Removes the
   * oldest versions beyond the maximum for good.
   *
   * @param writes each name at most once
   * @param header the header that the secrets were encrypted under, which must be the stored one; null if there must be
   * none
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not an encrypted secret), `SECRET_EXISTS` (the name is
   * taken), `VERSION_CONFLICT` (not found, deleted, another id or another revision), `HEADER_CHANGED`; nothing is
   * changed then
   */
  put(writes: readonly SecretWrite[], header: string | null, options?: PutOptions): Promise<void>;

  /**
   * Replaces the metadata and envelopes of versions of one secret, all or none, if they are stored as expected (compare
   * and set). Also deletes, restores or renames the secret, as the new metadata say, and adds the version that follows.
   *
   * @param header as in {@link SecretStore.put}
   * @param options for the version that follows
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS` (another secret has the new name),
   * `VERSION_CONFLICT` (not found, another revision, or a version has another nonce), `HEADER_CHANGED`; nothing is
   * changed then
   */
  rewrite(change: SecretRewrite, header: string | null, options?: PutOptions): Promise<void>;

  /**
   * Replaces the envelopes and macs of versions that were encrypted again. Keeps their metadata. Skips a version that
   * is not found or has another nonce by now, and a current version with another revision.
   *
   * @param header as in {@link SecretStore.put}
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `HEADER_CHANGED`; nothing is changed then
   */
  reencrypt(secrets: readonly ReencryptedSecret[], header: string | null): Promise<void>;

  /**
   * Marks a secret as deleted without a key, so that revision and mac stay as they are.
   *
   * @returns false if it is not found, or deleted already
   */
  delete(id: string, deletedAt: Timestamp): Promise<boolean>;

  /** Removes secrets with all their versions for good, deleted or not. @returns false if none of them was found */
  purge(...ids: readonly string[]): Promise<boolean>;

  /** Removes the secrets that were deleted before this moment for good. @returns their number */
  purgeDeleted(before: Timestamp): Promise<number>;

  /** Returns the anchor of this name; null if not found. */
  readAnchor(name: string): Promise<Anchor | null>;

  /** Returns all anchors, ordered by name. Use it to copy a store. */
  anchors(): Promise<readonly Anchor[]>;

  /**
   * Replaces the anchor of this name.
   *
   * @param expected the stored counter; null if there must be no such anchor
   * @returns false if the anchor has changed; nothing is changed then
   */
  writeAnchor(anchor: Anchor, expected: number | null): Promise<boolean>;

  /** Releases files and locks. Safe to call twice. All other methods throw `STORE_UNAVAILABLE` afterwards. */
  close(): Promise<void>;
}

/** The ability of a store to be filled from another one. */
export interface BulkInsert {
  /**
   * Inserts whole secrets into a new store that no other process uses yet.
   *
   * @param secrets the versions of each secret, the oldest first; the last one says whether the secret is deleted, and
   * has its revision and mac
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not of one secret, or not in order), `SECRET_EXISTS`
   */
  bulkInsert(secrets: readonly (readonly EncryptedSecret[])[]): Promise<void>;
}

/** The ability of a store to be moved or replaced. */
export interface ExclusiveLock {
  /**
   * Runs `work` while no other process can write. During that time this object can read the store, and a store that is
   * a file is complete in this one file, which can be copied, renamed and replaced. Close the store afterwards.
   *
   * @param work calls `isUnchanged` last: it returns false if another process may have written after all, because this
   * one was stopped for longer than its lock lasts
   * @throws AutokestraError `STORE_UNAVAILABLE` if another process uses the store, even an idle one; what `work` throws
   */
  exclusively<T>(work: (isUnchanged: () => boolean) => Promise<T>): Promise<T>;
}

/** The ability of a store to be backed up into a file. */
export interface FileBackup {
  /**
   * Writes a consistent, encrypted copy in the same layout, while other processes read and write. The file has mode
   * 0600 from its first byte on.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` if the path exists already
   */
  backup(path: string): Promise<void>;

  /** Returns the content of such a file, for a caller that must not have it on a disk. */
  snapshot(): Promise<Uint8Array>;
}

/** What a store can do besides keeping secrets. A store that is one file has all abilities. */
export interface StoreAbilities extends BulkInsert, ExclusiveLock, FileBackup {}

const CANNOT: Readonly<Record<keyof StoreAbilities, string>> = {
  bulkInsert: "take in whole secrets at once",
  exclusively: "keep other processes out",
  backup: "be copied into a file",
  snapshot: "be copied whole",
};

/**
 * Checks that a store has these abilities, and returns it with a type that says so.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` if it lacks one
 */
export function requireAbilities<Ability extends keyof StoreAbilities>(
  store: SecretStore,
  ...abilities: readonly Ability[]
): SecretStore & Pick<StoreAbilities, Ability> {
  for (const ability of abilities) {
    if (store[ability] === undefined) {
      throw new AutokestraError("STORE_UNAVAILABLE", `A ${store.driver} store cannot ${CANNOT[ability]}`, {
        details: { reason: "no such ability" } satisfies ErrorDetails["STORE_UNAVAILABLE"],
      });
    }
  }
  return store as SecretStore & Pick<StoreAbilities, Ability>;
}
