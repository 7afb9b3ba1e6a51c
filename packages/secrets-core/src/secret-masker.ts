/** How often a secret was masked, and in which variants. */
export interface MaskCount {
  readonly count: number;
  readonly variants: readonly string[];
}

/** Masks the values that it knows. `@autokestra/secrets-masker` implements it without importing it. */
export interface SecretMasker {
  /** Masks these values too from now on. */
  add(values: Iterable<{ readonly name: string; readonly value: string }>): void;
  /** Returns the text with every known value replaced. */
  mask(text: string): string;
  /** Returns a copy with every known value replaced, also in keys, errors, maps and buffers. Never throws. */
  maskValue(value: unknown): unknown;
  /** Returns the names of secrets with a value that is too short or too common to be masked. */
  unmaskable(): readonly string[];
  /** Returns what was masked so far, by name. */
  report(): Readonly<Record<string, MaskCount>>;
  /** Forgets all values. */
  dispose(): void;
}
