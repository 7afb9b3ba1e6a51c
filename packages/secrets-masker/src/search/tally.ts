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
  /** Counts what is added while `work` runs for this label, too. */
  count<T>(label: string, work: () => T): T;
  /** @param label Default: everything */
  report(label?: string): Record<string, MaskCount>;
  clear(): void;
}

type Counts = Map<string, { count: number; readonly variants: Set<string> }>;

export function createTally(): Tally {
  const all: Counts = new Map();
  const labelled = new Map<string, Counts>();
  let current: string | null = null;

  function addTo(counts: Counts, { name, variant }: Owner, isNew: boolean): void {
    let entry = counts.get(name);
    if (entry === undefined) {
      entry = { count: 0, variants: new Set() };
      counts.set(name, entry);
    }
    if (isNew) entry.count += 1;
    entry.variants.add(variant);
  }

  return {
    add(owner, isNew) {
      addTo(all, owner, isNew);
      if (current === null) return;
      const counts = labelled.get(current) ?? new Map();
      labelled.set(current, counts);
      addTo(counts, owner, isNew);
    },
    count(label, work) {
      const outer = current;
      current = label;
      try {
        return work();
      } finally {
        current = outer;
      }
    },
    report(label) {
      const counts = label === undefined ? all : (labelled.get(label) ?? new Map());
      // Object.fromEntries, because a secret may have the name __proto__.
      return Object.fromEntries(
        Array.from(counts, ([name, { count, variants }]) => [name, { count, variants: [...variants] }]),
      );
    },
    clear() {
      all.clear();
      labelled.clear();
    },
  };
}
