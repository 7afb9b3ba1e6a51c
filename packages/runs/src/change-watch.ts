/** How often another process may keep us waiting for what it has changed, in milliseconds. */
const LOOK_MS = 500;

/**
 * Tells those who want to know that a database was changed, by other processes within half a second. It looks at a
 * counter of SQLite, and does nothing while nobody watches.
 */
export class ChangeWatch {
  readonly #version: () => unknown;
  readonly #looks = new Set<() => Promise<void>>();
  #seen: unknown;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;

  /** @param version another value after each change of another process; throws where it cannot be read */
  constructor(version: () => unknown) {
    this.#version = version;
  }

  /**
   * @param look called once soon, and after each change; what it rejects with is ignored
   * @returns a function that ends it
   */
  add(look: () => Promise<void>): () => void {
    this.#looks.add(look);
    // What was changed before has not been looked at by this one.
    this.#seen = undefined;
    this.#timer ??= this.#plan();
    return () => {
      this.#looks.delete(look);
      if (this.#looks.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
    };
  }

  /** This process has changed it: notify watchers immediately. */
  tell(): void {
    this.#seen = undefined;
    void this.#look();
  }

  /** The process does not stay for it. */
  #plan(): NodeJS.Timeout {
    const timer = setTimeout(() => {
      void this.#look().finally(() => {
        // It was ended meanwhile, and may have been begun again.
        if (this.#timer === timer) this.#timer = this.#plan();
      });
    }, LOOK_MS).unref();
    return timer;
  }

  async #look(): Promise<void> {
    while (this.#looking !== null) await this.#looking;
    if (!this.#hasChanged()) return;
    this.#looking = this.#callAll();
    await this.#looking;
    this.#looking = null;
  }

  async #callAll(): Promise<void> {
    await Promise.allSettled([...this.#looks].map(async (look) => await look()));
  }

  #hasChanged(): boolean {
    try {
      const before = this.#seen;
      this.#seen = this.#version();
      return this.#seen !== before;
    } catch {
      return false;
    }
  }
}
