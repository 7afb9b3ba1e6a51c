/** How much is held of one task, in bytes. */
const HELD_BYTES = 1024 * 1024;

/** Holds what a task shows until it is known what of it is secret. */
export class HeldOutput {
  #shows: (() => void)[] = [];
  #held = 0;
  #dropped = 0;

  /**
   * @param bytes how much it is
   * @param show shows it
   */
  hold(bytes: number, show: () => void): void {
    if (this.#dropped > 0 || this.#held + bytes > HELD_BYTES) {
      this.#dropped += bytes;
      return;
    }
    this.#held += bytes;
    this.#shows.push(show);
  }

  /** Shows what is held. Returns how many bytes were too many to be held, and are not shown. */
  release(): number {
    const shows = this.#shows;
    const dropped = this.#dropped;
    this.drop();
    for (const show of shows) show();
    return dropped;
  }

  /** Forgets what is held. Returns how many bytes that is, with those that were too many. */
  drop(): number {
    const bytes = this.#held + this.#dropped;
    this.#shows = [];
    this.#held = 0;
    this.#dropped = 0;
    return bytes;
  }
}
