import type { SealedSecret, SecretMetadata } from "./secret.ts";
import type { SecretName } from "./secret-name.ts";
import type { SecretType } from "./secret-type.ts";

/** Which secrets `list` returns; all conditions must hold. */
export interface SecretFilter {
  readonly type?: SecretType | undefined;
  /** Every one of these tags. */
  readonly tags?: readonly string[] | undefined;
}

/** One secret to keep, and what must be there now. */
export interface SecretWrite {
  readonly secret: SealedSecret;
  /** Null: the name must be free. A number: the stored secret must have the same id and exactly this version. */
  readonly expectedVersion: number | null;
}

/**
 * Keeps sealed secrets and the store's header. A store never sees a plaintext or a key.
 *
 * Every method may throw an AutokestraError with `STORE_UNAVAILABLE` (locked, no space, no permission, closed),
 * `STORE_CORRUPT` (what is there is not what a store writes) or `STORE_TOO_NEW` (written by a newer version). A store that
 * cannot read never answers "absent". What a promise has resolved is on the disk.
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

  /** The secret with exactly this name, or null. */
  get(name: SecretName): Promise<SealedSecret | null>;

  /** Metadata in the order of the names (by UTF-16 unit: A before a). Needs no key. */
  list(filter?: SecretFilter): Promise<readonly SecretMetadata[]>;

  /**
   * Compare and set, all or nothing. No name stands twice in `writes`.
   *
   * @param header the header that the secrets were sealed under: it must still be the stored one (null: there must be none)
   * @throws AutokestraError `NAME_INVALID`, `VALUE_INVALID` (not a sealed secret), `SECRET_EXISTS` (expected none),
   * `VERSION_CONFLICT` (gone, another id, or another version), `HEADER_CHANGED`; nothing is changed then
   */
  put(writes: readonly SecretWrite[], header: string | null): Promise<void>;

  /** Removes the secret. @returns false where there was none */
  delete(name: SecretName): Promise<boolean>;

  /** Lets go of files and locks. Safe to call twice; every other method throws `STORE_UNAVAILABLE` afterwards. */
  close(): Promise<void>;
}
