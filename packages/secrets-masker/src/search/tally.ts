/** How often, and in which variants, one secret was masked. */
export interface MaskCount {
  /** The number of placeholders that replaced something of the secret. */
  readonly count: number;
  /** The variants in which it was found, in the order in which they first appeared: `value`, `base64` and so on. */
  readonly variants: string[];
}

/** The secret that a text belongs to, and the variant that it is. */
export interface Owner {
  readonly name: string;
  readonly variant: string;
}

/** Counts what was masked. */
export interface Tally {
  /** @param isNew false if this secret has already been counted for the same placeholder */
  add(owner: Owner, isNew: boolean): void;
  report(): Record<string, MaskCount>;
  clear(): void;
}

export function createTally(): Tally {
  const counts = new Map<string, { count: number; readonly variants: Set<string> }>();
  return {
    add({ name, variant }, isNew) {
      let entry = counts.get(name);
      if (entry === undefined) {
        entry = { count: 0, variants: new Set() };
        counts.set(name, entry);
      }
      if (isNew) entry.count += 1;
      entry.variants.add(variant);
    },
    report() {
      // Object.fromEntries, because a secret may have the name __proto__.
      return Object.fromEntries(
        Array.from(counts, ([name, { count, variants }]) => [name, { count, variants: [...variants] }]),
      );
    },
    clear() {
      counts.clear();
    },
  };
}
