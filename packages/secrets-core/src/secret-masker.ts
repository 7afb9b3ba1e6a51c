/** How often, and in which forms, something of one secret was masked. */
export interface MaskCount {
  readonly count: number;
  readonly variants: readonly string[];
}

/** Values in, mask out. `@autokestra/secrets-masker` has this shape without importing it. */
export interface SecretMasker {
  /** From now on these values are masked. */
  add(values: Iterable<{ readonly name: string; readonly value: string }>): void;
  /** The text with every known value replaced. */
  mask(text: string): string;
  /** A copy of the value with every known value replaced, also in keys, errors, maps and buffers. Never throws. */
  maskValue(value: unknown): unknown;
  /** Names of secrets with a value that is too short or too common to be masked. */
  unmaskable(): readonly string[];
  /** What was masked so far, by name. */
  report(): Readonly<Record<string, MaskCount>>;
  /** Forgets all values. */
  dispose(): void;
}
