/** A master key as a provider found it. */
export interface MasterKey {
  /** Where it came from, for messages: a variable's name or a path. */
  readonly source: string;
  /** 32 random bytes, or the UTF-8 of a passphrase that has to be stretched. */
  readonly kind: "bytes" | "passphrase";
  readonly material: Uint8Array;
  /** Another place that holds a key too and was not used, or null. */
  readonly otherSource: string | null;
}

/** Environment -> key file -> generate. */
export interface MasterKeyProvider {
  /**
   * The key there is, or null.
   *
   * @throws AutokestraError `KEY_INVALID` (not a key), `KEY_UNREADABLE` (permissions, owner, links)
   */
  load(): Promise<MasterKey | null>;

  /**
   * Makes a new key where there is none, or returns the one that another process made at the same moment.
   *
   * @throws AutokestraError `KEY_UNREADABLE`
   */
  generate(): Promise<MasterKey>;

  /** Keys that a rotation has prepared and not put in place yet: tried where the key itself is not the store's. */
  pending(): Promise<readonly PendingKey[]>;
}

/** A key of a rotation that did not come to its end. */
export interface PendingKey {
  readonly key: MasterKey;
  /** Puts it in the place of the key before, which is kept beside it. */
  promote(): Promise<void>;
}
