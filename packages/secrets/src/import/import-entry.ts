import type { ErrorCode, SecretInput, Timestamp } from "@autokestra/secrets-core";

/** A secret as a foreign source holds it, name and fields unchecked. What the source does not say is undefined, a time null. */
export interface ImportedSecret extends SecretInput {
  readonly createdAt: Timestamp | null;
  readonly updatedAt: Timestamp | null;
  /** The number of the record in the source. */
  readonly importedId?: number | undefined;
  /** The line of the file on which it begins, counted from 1. */
  readonly line?: number | undefined;
  /** What a person should look at, because other programs read the source differently. Never a value. */
  readonly warnings?: readonly string[] | undefined;
}

/** An entry that is not imported, and why. The reason never holds a value. */
export interface ImportFailure {
  /** The name as the source has it, so quote it before it is shown; or the place (`entry 3`, `line 7`) of what has none. */
  readonly name: string;
  readonly reason: string;
  /** The line of the file, counted from 1. */
  readonly line?: number | undefined;
  /** Where an error of ours is the reason. */
  readonly code?: ErrorCode | undefined;
}

/** What a person should look at in an entry that is imported, or left out. Never a value. */
export interface ImportWarning {
  /** The name as the source has it, so quote it before it is shown. */
  readonly name: string;
  /** The line of the file, counted from 1, where the source has lines. */
  readonly line?: number | undefined;
  readonly message: string;
}

/** What a reader makes of one entry of its source. */
export type ImportEntry = ImportedSecret | ImportFailure;

export function isFailure(entry: ImportEntry): entry is ImportFailure {
  return "reason" in entry;
}

/** A name and a value of a source that knows no types and no times. */
export function importedApiKey(
  name: string,
  value: string,
  place: Pick<ImportedSecret, "line" | "warnings"> = {},
): ImportedSecret {
  return { name, type: "apiKey", fields: { value }, createdAt: null, updatedAt: null, ...place };
}
