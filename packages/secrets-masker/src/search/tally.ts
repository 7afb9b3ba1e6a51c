/** How often, and in which forms, something of one secret was masked. */
export interface MaskCount {
  /** The number of placeholders in which the secret has a part. */
  readonly count: number;
  /** The forms in which it was found, in the order of their first time. */
  readonly variants: string[];
}

/** Whose text was found, and in which form. */
export interface Owner {
  readonly name: string;
  readonly form: string;
}

/** Counts what was masked. */
export interface Tally {
  /** @param isNew false where this secret has been counted for the same placeholder already */
  add(owner: Owner, isNew: boolean): void;
  report(): Record<string, MaskCount>;
  clear(): void;
}

export function createTally(): Tally {
  const counts = new Map<string, { count: number; readonly variants: Set<string> }>();
  return {
    add({ name, form }, isNew) {
      const entry = counts.get(name) ?? { count: 0, variants: new Set() };
      counts.set(name, entry);
      if (isNew) entry.count += 1;
      entry.variants.add(form);
    },
    report() {
      // fromEntries, for a secret may be called __proto__.
      return Object.fromEntries(
        Array.from(counts, ([name, { count, variants }]) => [name, { count, variants: [...variants] }]),
      );
    },
    clear() {
      counts.clear();
    },
  };
}
