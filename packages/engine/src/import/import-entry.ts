import type { SecretInput, Timestamp } from "@autokestra/secrets-core";

/** A secret as a foreign source holds it, name and fields unchecked. What the source does not say is undefined, a time null. */
export interface ImportedSecret extends SecretInput {
  readonly createdAt: Timestamp | null;
  readonly updatedAt: Timestamp | null;
  /** The number of the record in the source. */
  readonly importedId?: number | undefined;
}

/** An entry that is not imported, and why. The reason never holds a value. */
export interface ImportFailure {
  /** The name as the source has it, so quote it before it is shown; or the place (`entry 3`) of what has none. */
  readonly name: string;
  readonly reason: string;
}

/** What a reader makes of one entry of its source. */
export type ImportEntry = ImportedSecret | ImportFailure;

export function isFailure(entry: ImportEntry): entry is ImportFailure {
  return "reason" in entry;
}

/** A name and a value of a source that knows no types and no times. */
export function importedApiKey(name: string, value: string): ImportedSecret {
  return { name, type: "apiKey", fields: { value }, createdAt: null, updatedAt: null };
}
