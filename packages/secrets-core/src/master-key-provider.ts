/** How a passphrase becomes 32 bytes: PBKDF2-HMAC-SHA256 (NIST SP 800-132). */
export interface Stretching {
  /** 16 bytes, base64. */
  readonly salt: string;
  readonly iterations: number;
}

/** A master key as a provider found it. */
export interface MasterKey {
  /** Where it came from, for messages: the name of a variable or a path. */
  readonly source: string;
  /** 32 random bytes, or a passphrase that has to be stretched. */
  readonly kind: "bytes" | "passphrase";

  /**
   * The 32 bytes of the key, in a copy that the caller overwrites. A passphrase is stretched once for the same parameters,
   * however often they are asked for.
   *
   * @param stretching null where the key is 32 bytes already
   * @returns null where the key is of the other kind
   */
  bytes(stretching: Stretching | null): Promise<Uint8Array | null>;

  /** The parameters for the header of a new store: null for 32 bytes; for a passphrase those of this machine, drawn on first use. */
  stretchingForNewStore(): Promise<Stretching | null>;
}

/** One look for the key of a store. */
export interface KeySearch {
  /** The person has named the key. Then `keys` has it and what a rotation has left beside its file, and nothing else. */
  readonly isGiven: boolean;
  /** Every place that is looked at, in order, and what is there: `AUTOKESTRA_SECRET_KEY (not set)`. For messages. */
  readonly places: readonly string[];
  /** The key that new stores get; null where there is none. */
  readonly first: MasterKey | null;

  /**
   * The keys to try, one after the other, the first one included.
   *
   * @param fingerprint of the key that is looked for; null where the header is too old to tell
   */
  keys(fingerprint: string | null): AsyncIterable<MasterKey>;

  /**
   * Where the key folder has a key that is none of `keys`; null where it has none. For messages only: it is never tried.
   *
   * @param fingerprint of the key that is looked for
   */
  elsewhere(fingerprint: string): Promise<string | null>;
}

/** Where master keys come from: one that the person names, else the key folder, else a new one. */
export interface MasterKeyProvider {
  /** @throws AutokestraError `KEY_INVALID` (not a key), `KEY_UNREADABLE` (permissions, owner, links), for the named or default key */
  search(): Promise<KeySearch>;

  /**
   * Makes a new key where there is none, or returns the one that another process made at the same moment.
   *
   * @throws AutokestraError `KEY_UNREADABLE`; `KEY_UNAVAILABLE` where the system refuses (no space, read-only)
   */
  generate(): Promise<MasterKey>;
}
