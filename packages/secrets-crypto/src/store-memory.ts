/** What this machine knows of the store at one path. It authorises nothing: it only tells when an older state was put back. */
export interface RememberedStore {
  /** UUID of the store that was last written to at this path. */
  readonly storeId: string;
  /** The epoch that its header had then. */
  readonly epoch: number;
  /** The fingerprint of the master key that it had then. */
  readonly fingerprint: string;
  /** Fingerprints of master keys that this store had before, and was rotated away from. */
  readonly left: readonly string[];
  /** When the path was last opened, ISO 8601 UTC. */
  readonly openedAt: string;
}

/** Remembers the store at one path. */
export interface StoreMemory {
  /** Null where nothing is known of the path. Never throws: what cannot be read is not known. */
  recall(): Promise<RememberedStore | null>;
  /**
   * Called before the path gets the header of another store, or a header from a backup: whoever looks at it before `remember` was
   * called, also after a crash in between, must not take it for one that somebody has put back. Best effort: never throws.
   */
  forget(): Promise<void>;
  /** Called after a header was written, never by a read. Best effort: never throws. */
  remember(store: Pick<RememberedStore, "storeId" | "epoch" | "fingerprint">): Promise<void>;
}
