import {
  AutokestraError,
  type ErrorCode,
  parseFields,
  parseSecretName,
  type SecretFields,
  type SecretInput,
  type Timestamp,
} from "@autokestra/secrets-core";
import { isIdentifier } from "@autokestra/secrets-core/internal";

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

/** An imported secret whose name and fields are good. */
export interface CheckedSecret extends ImportedSecret {
  readonly fields: SecretFields;
}

interface CheckedEntries {
  /** By the name in the source. */
  readonly secrets: ReadonlyMap<string, CheckedSecret>;
  readonly failed: readonly ImportFailure[];
  /** Without a value, and left out. */
  readonly empty: readonly ImportedSecret[];
}

export interface CheckOptions {
  /** Take the proposed name where a name is refused; otherwise it fails, and the reason has the proposal. */
  readonly rename: boolean;
  /** Leave out what has an empty value; otherwise it fails. */
  readonly skipEmpty: boolean;
}

/** Checks names and fields as `set` does, but for the names of fields: those are kept. */
export function checkEntries(entries: readonly ImportEntry[], { rename, skipEmpty }: CheckOptions): CheckedEntries {
  const names = entries.flatMap((entry) => (isFailure(entry) ? [] : [entry.name]));
  const proposals = proposeNames(names);
  const secrets = new Map<string, CheckedSecret>();
  const failed: ImportFailure[] = [];
  const empty: ImportedSecret[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (isFailure(entry)) failed.push(entry);
    else if (secrets.has(name)) failed.push({ name, reason: "The import has this name more than once" });
    else {
      const checked = checkSecret(entry, proposals.get(name), rename);
      if (isFailure(checked) && checked.code === "VALUE_EMPTY" && skipEmpty) empty.push(entry);
      else if (isFailure(checked)) failed.push(checked);
      else secrets.set(name, checked);
    }
  }
  return { secrets, failed, empty };
}

function checkSecret(
  secret: ImportedSecret,
  proposal: string | undefined,
  rename: boolean,
): CheckedSecret | ImportFailure {
  try {
    const name = parseSecretName(rename && proposal !== undefined ? proposal : secret.name);
    const fields = parseFields(name, secret.type, secret.fields, () => new Date().toISOString(), true);
    return { ...secret, name, fields };
  } catch (error) {
    if (!(error instanceof AutokestraError)) throw error;
    const proposed = error.code === "NAME_INVALID" ? `; proposed: ${proposal}` : "";
    return { name: secret.name, reason: error.message + proposed, code: error.code, line: secret.line };
  }
}

const MAX_LENGTH = 255;

/**
 * Proposes a name for each one that is no secret's name: `my key!` -> `my_key`. No two proposals are equal, and none is equal to
 * a name that is good already; a number tells them apart (`my_key_2`). The same names give the same proposals again.
 *
 * @returns by the name that it is for
 */
export function proposeNames(names: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(names.filter(isIdentifier));
  const proposals = new Map<string, string>();
  /** Where counting goes on: thousands of names can come to the same. */
  const numbers = new Map<string, number>();
  for (const name of names) {
    if (isIdentifier(name) || proposals.has(name)) continue;
    const base = toBase(name);
    let number = numbers.get(base) ?? 1;
    while (!isFree(numbered(base, number))) number += 1;
    numbers.set(base, number);
    proposals.set(name, numbered(base, number));
    taken.add(numbered(base, number));
  }
  return proposals;

  function isFree(name: string): boolean {
    return isIdentifier(name) && !taken.has(name);
  }
}

/** Letters lose their accents; each run of what a name cannot have becomes one `_`, and none at the ends. */
function toBase(name: string): string {
  const words = name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .match(/[A-Za-z0-9_-]+/g) ?? ["SECRET"];
  return words.join("_").slice(0, MAX_LENGTH);
}

function numbered(base: string, number: number): string {
  if (number === 1) return base;
  const suffix = `_${number}`;
  return base.slice(0, MAX_LENGTH - suffix.length) + suffix;
}
