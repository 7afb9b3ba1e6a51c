/** How a passphrase becomes 32 bytes: PBKDF2-HMAC-SHA256 (NIST SP 800-132). */
export interface Stretching {
  /** 16 bytes, base64. */
  readonly salt: string;
  readonly iterations: number;
}

/** A master key that a provider has found. */
export interface MasterKey {
  /** Where it comes from, for messages: the name of a variable, or a path. */
  readonly source: string;
  /** 32 random bytes, or a passphrase that must be stretched. */
  readonly kind: "bytes" | "passphrase";

  /**
   * Returns the 32 bytes of the key in a copy, which the caller overwrites after use. Stretches a passphrase only once
   * for the same parameters.
   *
   * @param stretching the parameters for a passphrase; null for a key of 32 bytes
   * @returns null if the key is of the other kind
   */
  bytes(stretching: Stretching | null): Promise<Uint8Array | null>;

  /** Returns the stretching parameters for a new store, with a new salt; null for a key of 32 bytes. */
  stretchingForNewStore(): Promise<Stretching | null>;
}

/** One search for the key of a store. */
export interface KeySearch {
  /**
   * True if the person has named the key. Then `keys` has only that one and those that a rotation left beside its file.
   */
  readonly isGiven: boolean;
  /** Every place that is searched, in order, with what is there: `AUTOKESTRA_SECRET_KEY (not set)`. For messages. */
  readonly places: readonly string[];
  /** The key for a new store; null if there is none. */
  readonly first: MasterKey | null;

  /**
   * Returns the keys to try, in order, including `first`.
   *
   * @param fingerprint the fingerprint of the wanted key; null if the header does not say
   */
  keys(fingerprint: string | null): AsyncIterable<MasterKey>;

  /**
   * Returns where the key folder has the wanted key if `keys` does not include it; null otherwise. For messages only:
   * such a key is never tried.
   *
   * @param fingerprint the fingerprint of the wanted key
   */
  elsewhere(fingerprint: string): Promise<string | null>;
}

/** Finds master keys: the one that the person names, else those in the key folder. Creates one for a new store. */
export interface MasterKeyProvider {
  /**
   * Looks for keys.
   *
   * @throws AutokestraError `KEY_INVALID` (not a key), `KEY_UNREADABLE` (permissions, owner, links)
   */
  search(): Promise<KeySearch>;

  /**
   * Creates a key, or returns the one that another process has created at the same moment.
   *
   * @throws AutokestraError `KEY_UNREADABLE`; `KEY_UNAVAILABLE` if the system refuses (no space, read-only)
   */
  generate(): Promise<MasterKey>;
}
