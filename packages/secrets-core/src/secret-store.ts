import { AutokestraError, type ErrorDetails } from "./errors.ts";
import type { EncryptedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretType } from "./secret-type.ts";
import type { Timestamp } from "./time.ts";

/** Which secrets `list` returns; all conditions must hold. */
export interface SecretFilter {
  readonly type?: SecretType | undefined;
  /** Every one of these tags. */
  readonly tags?: readonly string[] | undefined;
  /** The whole name. */
  readonly name?: string | undefined;
  /** What the name begins with. */
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
  /** Default: active. */
  readonly state?: "active" | "deleted" | "all" | undefined;
  /** Of the deleted ones only those that were deleted at this moment or later. */
  readonly deletedSince?: Timestamp | undefined;
  /** Start after this name (the last one of the previous page). */
  readonly after?: string | undefined;
  /** With `after`: of the secrets of that name, start after this id instead of leaving all of them out. */
  readonly afterId?: string | undefined;
  /** How many results to leave out at the beginning, a whole number from 0 on. Default: 0. */
  readonly skip?: number | undefined;
  /** The maximum number of results, a whole number from 0 on. Default: all. */
  readonly limit?: number | undefined;
}

/** A page of ids in their order. */
export interface IdPage {
  /** Only secrets of this name, including deleted ones. Default: all. */
  readonly name?: string | undefined;
  /** Start after this id (the last one of the previous page). */
  readonly after?: string | undefined;
  /** The maximum number of results. Default: all. */
  readonly limit?: number | undefined;
}

/** What must be stored for a change to be made. */
export interface ExpectedSecret {
  readonly id: string;
  readonly revision: number;
}

/** One version to add, and what must be there now. */
export interface SecretWrite {
  readonly secret: EncryptedSecret;
  /** Null: no secret that is not deleted may have the name. Else: the secret that has it must be this one. */
  readonly expected: ExpectedSecret | null;
}

/** How many versions of a secret are kept by default. */
export const DEFAULT_MAX_VERSIONS = 10;

export interface PutOptions {
  /** How many versions stay, the new one included: 1 or more. Default: {@link DEFAULT_MAX_VERSIONS}. */
  readonly maxVersions?: number | undefined;
}

/** A change of a whole secret in place. */
export interface SecretRewrite {
  /** The versions to replace, each by its version number; the first one is the current one and is always there. */
  readonly versions: readonly EncryptedSecret[];
  /** The nonces that these versions have now, in the same order: a version that was encrypted again meanwhile has another one. */
  readonly nonces: readonly Uint8Array[];
  /** The revision that the secret has now. */
  readonly revision: number;
}

/** A version that was encrypted again. */
export interface ReencryptedSecret {
  readonly secret: EncryptedSecret;
  /** The nonce that it had. */
  readonly nonce: Uint8Array;
}

/** A fact that must not go back and changes too often for the header: the head of a log, an epoch of tokens. */
export interface Anchor {
  readonly name: string;
  /** Only ever grows. */
  readonly counter: number;
  readonly text: string;
  readonly mac: string;
}

/** How what is stored is laid out: 1 until this version of autokestra has written to it. */
export type StoreLayout = 1 | 2;

/**
 * Keeps encrypted secrets with their older versions, and the store's header. A store never sees a plaintext or a key.
 *
 * A name belongs to at most one secret that is not deleted; deleted ones are found by their id. Each method is a transaction:
 * it does all or nothing, whatever other processes do at the same moment and wherever this one is killed. What a promise has
 * resolved is on the disk. Every method may throw an AutokestraError with `STORE_UNAVAILABLE` (locked, no space, no permission,
 * closed), `STORE_CORRUPT` (what is there is not what a store writes) or `STORE_TOO_NEW` (written by a newer version). A store
 * that cannot read never answers "not found".
 *
 * A store in layout 1 reads as one in layout 2 whose secrets have no mac and whose revision is their version. Of the methods
 * that write it has `upgrade`, `delete`, `purge` and `purgeDeleted`; the others throw `STORE_UNAVAILABLE`.
 */
export interface SecretStore extends Partial<StoreAbilities> {
  /** The name of its driver, such as `sqlite`: for messages. */
  readonly driver: string;

  /** How it is laid out at this moment. Reading never changes it. */
  layout(): Promise<StoreLayout>;

  /**
   * Brings layout 1 to layout 2, with a new header and a mac for every secret. What was there is kept beside it, as
   * `<file>.v1.backup`, mode 0600.
   *
   * @param expected the header that must be there (null: none)
   * @param authenticate gives the mac of a current version; synchronous, as it is called in the transaction
   * @returns false, and changes nothing, where the header is another one by now or the layout is 2 already
   */
  upgrade(header: string, expected: string | null, authenticate: (secret: EncryptedSecret) => string): Promise<boolean>;

  /** The header: one text that the encryption writes and reads; null where none was written yet. */
  readHeader(): Promise<string | null>;

  /**
   * Replaces the header if it still is `expected` (null: there must be none).
   *
   * @param unusedKeys ids of data keys that the new header gives up: no version may name one of them
   * @returns false, and changes nothing, where the header is another one by now
   * @throws AutokestraError `DATA_KEY_IN_USE`; nothing is changed then
   */
  writeHeader(header: string, expected: string | null, unusedKeys?: readonly string[]): Promise<boolean>;

  /** The current version of the secret with exactly this name that is not deleted; null where there is none. */
  get(name: SecretName): Promise<EncryptedSecret | null>;

  /** The current version of the secret with this id, deleted or not; null where there is none. */
  find(id: string): Promise<EncryptedSecret | null>;

  /** All kept versions of the secret with this id, deleted or not, the newest first; empty where there is none. */
  versions(id: string): Promise<readonly EncryptedSecret[]>;

  /**
   * Ids of all secrets, including deleted ones, in their order (by UTF-16 unit). Looks at nothing else: a damaged record hides
   * no other.
   */
  ids(page?: IdPage): Promise<readonly string[]>;

  /** Metadata of current versions, ordered by name (by UTF-16 unit: A before a), then by id. Needs no key. */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;

  /** How many secrets pass the filter, on whatever page of a list they are. */
  count(filter?: SecretFilter): Promise<number>;

  /**
   * Compare and set: adds a version to each of these secrets, or to none. Versions that are too many are removed for good. No name
   * stands twice in `writes`.
   *
   * @param header the header that the secrets were encrypted under: it must still be the stored one (null: there must be none)
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not an encrypted secret), `SECRET_EXISTS` (the name is taken),
   * `VERSION_CONFLICT` (not found, deleted, another id or another revision), `HEADER_CHANGED`; nothing is changed then
   */
  put(writes: readonly SecretWrite[], header: string | null, options?: PutOptions): Promise<void>;

  /**
   * Compare and set: replaces versions of one secret in place, metadata and envelopes, or none of them. Also deletes, restores
   * and renames it, as the new metadata say.
   *
   * @param header as with {@link SecretStore.put}
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `SECRET_EXISTS` (another secret has the new name),
   * `VERSION_CONFLICT` (not found, another revision, or a version has another nonce), `HEADER_CHANGED`; nothing is changed then
   */
  rewrite(change: SecretRewrite, header: string | null): Promise<void>;

  /**
   * Gives versions the envelopes and macs that they have been encrypted again with; revisions and all other metadata stay as they
   * are. A version that has another nonce by now, or is not found, is left as it is, and so is a current version of another revision.
   *
   * @param header as with {@link SecretStore.put}
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID`, `HEADER_CHANGED`; nothing is changed then
   */
  reencrypt(secrets: readonly ReencryptedSecret[], header: string | null): Promise<void>;

  /**
   * Marks a secret as deleted at this moment, without its key: revision and mac stay as they are.
   *
   * @returns false where there is none with this id, or it is deleted already
   */
  delete(id: string, deletedAt: Timestamp): Promise<boolean>;

  /** Removes secrets with all their versions for good, deleted before or not. @returns false where there was none of them */
  purge(...ids: readonly string[]): Promise<boolean>;

  /** Removes for good what was deleted before this moment. @returns how many secrets these were */
  purgeDeleted(before: Timestamp): Promise<number>;

  /** The anchor of this name; null where there is none. */
  readAnchor(name: string): Promise<Anchor | null>;

  /** All anchors, ordered by name: for copying a store. */
  anchors(): Promise<readonly Anchor[]>;

  /**
   * Replaces the anchor of this name if its counter still is `expected` (null: there must be none).
   *
   * @returns false, and changes nothing, where it is another one by now
   */
  writeAnchor(anchor: Anchor, expected: number | null): Promise<boolean>;

  /** Lets go of files and locks. Safe to call twice; every other method throws `STORE_UNAVAILABLE` afterwards. */
  close(): Promise<void>;
}

/** Takes in whole secrets at once: what a store needs to be filled from another one. */
export interface BulkInsert {
  /**
   * Fills a store that nobody else knows yet with whole secrets, each with its versions, the oldest first. The last one says what
   * is true of the whole secret: whether it is deleted, its revision, its mac.
   *
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not of one secret, or not in order), `SECRET_EXISTS`
   */
  bulkInsert(secrets: readonly (readonly EncryptedSecret[])[]): Promise<void>;
}

/** Keeps other processes out: what a store needs to be moved or replaced. */
export interface ExclusiveLock {
  /**
   * Does `work` while no other process can write. The store can be read through this opening, and must be closed afterwards. A store
   * that is a file has all that was written in this one file meanwhile: it can be copied, renamed and replaced.
   *
   * @param work gets a last look: false where somebody could write all the same, as a process can be stopped for longer than its
   * lock lasts
   * @throws AutokestraError `STORE_UNAVAILABLE` where another process has it in use, even if idle; or what `work` throws
   */
  exclusively<T>(work: (isUnchanged: () => boolean) => Promise<T>): Promise<T>;
}

/** Copies itself into a file: what a store needs to be backed up. */
export interface FileBackup {
  /**
   * Writes a consistent copy, still encrypted, in the same layout, 0600 from its first byte on, while others read and write.
   *
   * @throws AutokestraError `STORE_UNAVAILABLE` where there is something of this name already
   */
  backup(path: string): Promise<void>;
}

/** What a store may be able to do beside keeping secrets. A store that is one file has all abilities. */
export interface StoreAbilities extends BulkInsert, ExclusiveLock, FileBackup {}

const CANNOT: Readonly<Record<keyof StoreAbilities, string>> = {
  bulkInsert: "take in whole secrets at once",
  exclusively: "keep other processes out",
  backup: "be copied into a file",
};

/**
 * The same store, once it is known to have abilities.
 *
 * @throws AutokestraError `STORE_UNAVAILABLE` where it lacks one
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
