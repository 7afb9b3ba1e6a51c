import { type Anchor, AutokestraError, type SecretStore } from "@autokestra/secrets-core";
import type { KeyManager, Keyring } from "@autokestra/secrets-crypto";
import type { Fields } from "@autokestra/secrets-crypto/internal";

export type AnchorStore = Pick<SecretStore, "readAnchor" | "writeAnchor">;

/** The anchor whose counter is the epoch of tokens. */
const ANCHOR = "tokens";

/** Counts the revocations of tokens. The store keeps it, so that a row of an earlier epoch opens nothing. */
export class TokenEpoch {
  readonly #store: AnchorStore;
  readonly #keys: Pick<KeyManager, "keyring">;
  #verified: Anchor | null = null;
  /** The latest epoch that was seen. What is of an earlier one was put back, whatever the store says. */
  #newest = 0;

  constructor(store: AnchorStore, keys: Pick<KeyManager, "keyring">) {
    this.#store = store;
    this.#keys = keys;
  }

  /** What the store says; null where there never was a token. @throws AutokestraError `INTEGRITY_FAILED` */
  async read(): Promise<number | null> {
    const anchor = await this.#store.readAnchor(ANCHOR);
    if (anchor === null) return null;
    const { counter, mac } = anchor;
    if (counter === this.#verified?.counter && mac === this.#verified.mac) return counter;
    if (!(await this.#keys.keyring()).checkFields("token", epochFields(counter), mac)) throw epochChanged();
    this.#verified = anchor;
    return counter;
  }

  /** Makes the epoch of the store this one. @returns false where it is a later one already */
  async raise(keyring: Keyring, epoch: number): Promise<boolean> {
    for (;;) {
      const before = await this.read();
      if (before !== null && before >= epoch) return before === epoch;
      const mac = keyring.authenticateFields("token", epochFields(epoch));
      if (await this.#store.writeAnchor({ name: ANCHOR, counter: epoch, text: "", mac }, before)) return true;
    }
  }

  /** Remembers an epoch. @returns the latest that was seen */
  see(epoch: number): number {
    this.#newest = Math.max(this.#newest, epoch);
    return this.#newest;
  }
}

function epochFields(epoch: number): Fields {
  return ["token epoch", epoch];
}

function epochChanged(): AutokestraError {
  return new AutokestraError("INTEGRITY_FAILED", "The list of revoked tokens in the store was changed", {
    hint: "Restore the store from a backup.",
  });
}
